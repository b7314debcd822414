// Reading safetensors: values of every type, in place, and files of another program.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "models/io/formula.h"
#include "tests/support/safetensors_bytes.h"

namespace loupe {

TEST_CASE("what is written is read back, in place") {
  const Scratch scratch;
  const std::string path = scratch.file("a.safetensors");
  const std::vector<double> wide = {0.1, -1e300};
  const std::vector<uint8_t> bytes = {1, 2, 255};
  Tensor whole(Dtype::i32, {2});
  whole.values<int32_t>()[0] = -7;
  whole.values<int32_t>()[1] = std::numeric_limits<int32_t>::max();
  const NamedTensors written = {{"bytes", Tensor::from(std::span<const uint8_t>(bytes), {3})},
                                {"weight", f32({1.5f, -2, 0, 1e-40f, 3, 4}, {2, 3})},
                                {"whole", whole},
                                {"wide", Tensor::from(std::span<const double>(wide), {1, 2, 1})},
                                {"empty", Tensor(Dtype::f32, {0, 3})},
                                {"scalar", f32({42}, {})}};
  write_safetensors(path, written, {{"class", "290"}, {"label", "jaguar \"\\\n ü"}});
  CHECK(scratch.count() == 1);  // no temporary file

  const SafetensorsFile file = SafetensorsFile::open(path);
  CHECK(file.names().size() == written.size());
  CHECK(file.metadata().at("class") == "290");
  CHECK(file.metadata().at("label") == "jaguar \"\\\n ü");
  for (const auto& [name, tensor] : written) {
    INFO(name);
    const Tensor read = file.tensor(name);
    CHECK(file.info(name).shape == tensor.shape());
    CHECK(read.shape() == tensor.shape());
    CHECK(read.dtype() == tensor.dtype());
    CHECK(std::memcmp(read.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())) == 0);
    CHECK(reinterpret_cast<uintptr_t>(read.raw()) % static_cast<size_t>(dtype_bytes(read.dtype())) == 0);
    CHECK(read.raw() == file.tensor(name).raw());  // a view, not a copy
  }
  CHECK(file.info("wide").dtype == "F64");
  CHECK_FALSE(file.contains("weights"));
  CHECK_THROWS_WITH_AS(file.tensor("weights"), doctest::Contains("no tensor 'weights'"), Error);
}

TEST_CASE("a view outlives the file it came from") {
  const Scratch scratch;
  const std::string path = scratch.file("a.safetensors");
  write_safetensors(path, {{"x", f32({1, 2, 3}, {3})}});
  const Tensor x = SafetensorsFile::open(path).tensor("x");
  fs::remove(path);
  CHECK(x.values<float>()[2] == 3);
}

TEST_CASE("names come in the order of the data, and zero-size tensors share their place") {
  const auto file = parse(file_bytes(R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},)"
                                     R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                     R"("none":{"dtype":"I64","shape":[3,0],"data_offsets":[4,4]},)"
                                     R"("scalar":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}  )",
                                     std::string(8, '\0') + "\x07"));
  CHECK(file.names() == std::vector<std::string>{"a", "none", "b", "scalar"});
  CHECK(file.tensor("none").numel() == 0);
  CHECK(file.tensor("scalar").item() == 7);
  CHECK(file.tensor("scalar").shape().rank() == 0);
  CHECK(parse(file_bytes("{}")).names().empty());
}

TEST_CASE("unaligned data is copied to where it is aligned") {
  const std::vector<float> values = {1.25f, -3};
  std::string data(9, '\1');
  std::memcpy(data.data() + 1, values.data(), 8);
  const std::string bytes = file_bytes(R"({"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                       R"("f":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})",
                                       data);
  const auto file = parse(bytes);
  const Tensor f = file.tensor("f");
  CHECK(reinterpret_cast<uintptr_t>(f.raw()) % 4 == 0);
  CHECK(f.values<float>()[0] == 1.25f);
  CHECK(f.values<float>()[1] == -3);
}

TEST_CASE("every half is converted exactly") {
  constexpr size_t kAll = 65536;
  std::string data(kAll * 2, '\0');
  for (size_t i = 0; i < kAll; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    std::memcpy(data.data() + 2 * i, &bits, 2);
  }
  const Tensor half = parse(file_bytes(tensor_json("F16", "[65536]", "[0,131072]"), data)).tensor("t");
  const Tensor brain = parse(file_bytes(tensor_json("BF16", "[65536]", "[0,131072]"), data)).tensor("t");
  size_t wrong = 0;
  for (size_t i = 0; i < kAll; ++i) {
    // IEEE 754 binary16 by its definition.
    const int exponent = (i >> 10) & 31, fraction = i & 1023;
    const double magnitude = exponent == 31 ? (fraction ? NAN : INFINITY)
                             : exponent     ? std::ldexp(1024 + fraction, exponent - 25)
                                            : std::ldexp(fraction, -24);
    const auto expected = static_cast<float>(i >> 15 ? -magnitude : magnitude);
    const float got = half.values<float>()[i];
    const bool same = std::isnan(expected) ? std::isnan(got)
                                           : got == expected && std::signbit(got) == std::signbit(expected);
    wrong += !same;
    wrong += std::bit_cast<uint32_t>(brain.values<float>()[i]) != i << 16;
  }
  CHECK(wrong == 0);
}

TEST_CASE("64-bit integers become 32-bit ones where they fit") {
  const std::string json = tensor_json("I64", "[2]", "[0,16]");
  const auto minus_two = static_cast<uint64_t>(-2);
  const Tensor t = parse(file_bytes(json, little_endian(123456) + little_endian(minus_two))).tensor("t");
  CHECK(t.dtype() == Dtype::i32);
  CHECK(t.item(0) == 123456);
  CHECK(t.item(1) == -2);
  const auto large = parse(file_bytes(json, little_endian(1) + little_endian(uint64_t{1} << 31)));
  CHECK_THROWS_WITH_AS(large.tensor("t"),
                       "'file.safetensors': tensor 't': the value 2147483648 does not fit 32 bits", Error);
}

TEST_CASE("smaller integers and unsigned ones become 32-bit ones") {
  const auto one = [](const char* type, const std::string& data) {
    const std::string end = std::to_string(data.size());
    return parse(file_bytes(tensor_json(type, "[1]", "[0," + end + "]"), data)).tensor("t").item();
  };
  CHECK(one("I8", "\xfe") == -2);
  CHECK(one("I16", "\xfe\xff") == -2);
  CHECK(one("U16", "\xfe\xff") == 65534);
  CHECK(one("U32", "\xfe\xff\xff\x7f") == 2147483646);
  CHECK(one("U64", little_endian(7)) == 7);
  CHECK_THROWS_WITH_AS(one("U32", "\xfe\xff\xff\xff"), doctest::Contains("does not fit 32 bits"), Error);
}

TEST_CASE("a type that Loupe does not compute with may lie in a file but not be read") {
  const auto file = parse(file_bytes(tensor_json("F8_E4M3", "[2]", "[0,2]"), "ab"));
  CHECK(file.info("t").dtype == "F8_E4M3");
  CHECK_THROWS_WITH_AS(file.tensor("t"), doctest::Contains("tensor 't' is of type 'F8_E4M3'"), Error);
}

// Written by tests/oracle/make_method_goldens.py, which shares no code with this reader nor with
// formula_input().
TEST_CASE("files of another program") {
  for (const auto& item : fs::directory_iterator(LOUPE_SOURCE_DIR "/tests/golden/methods")) {
    INFO(item.path().string());
    const auto file = SafetensorsFile::open(item.path().string());
    const Tensor logits = file.tensor("logits");
    CHECK(logits.dtype() == Dtype::f64);
    const std::span<const double> scores = logits.values<double>();
    const auto top = std::max_element(scores.begin(), scores.end()) - scores.begin();
    CHECK(file.metadata().at("class") == std::to_string(top));
    const Tensor input = file.tensor("input"), formula = formula_input({1, 3, 64, 64});
    CHECK(input.shape() == formula.shape());
    CHECK(std::memcmp(input.raw(), formula.raw(), static_cast<size_t>(formula.bytes())) == 0);
  }
}

TEST_CASE("files that cannot be opened") {
  const Scratch scratch;
  const auto open = [&](const std::string& name) { SafetensorsFile::open(scratch.file(name)); };
  CHECK_THROWS_WITH_AS(open("none"), doctest::Contains("none': No such file"), Error);
  CHECK_THROWS_WITH_AS(open("."), doctest::Contains("it is a directory"), Error);
  std::ofstream(scratch.file("empty")).close();
  CHECK_THROWS_WITH_AS(open("empty"), doctest::Contains("empty': the file is empty"), Error);
  std::ofstream(scratch.file("short")) << "1234567";
  CHECK_THROWS_WITH_AS(open("short"), doctest::Contains("has only 7 bytes"), Error);
  std::ofstream(scratch.file("text")) << "This is not a file of tensors.";
  CHECK_THROWS_WITH_AS(open("text"), doctest::Contains("is this a safetensors file?"), Error);
  CHECK_THROWS_WITH_AS(SafetensorsFile::open("/dev/null"), doctest::Contains("not a regular file"), Error);
}

}  // namespace loupe
