#include "models/io/safetensors.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "kernels/common/error.h"
#include "models/io/formula.h"

namespace fs = std::filesystem;

namespace loupe {
namespace {

// A folder for one test case, empty before and gone after.
struct Scratch {
  fs::path folder = fs::temp_directory_path() / ("loupe_safetensors_" + std::to_string(::getpid()));
  Scratch() {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~Scratch() { fs::remove_all(folder); }
  std::string file(const std::string& name) const { return (folder / name).string(); }
  std::ptrdiff_t count() const {
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
  }
};

std::string little_endian(uint64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}

std::string file_bytes(const std::string& json, const std::string& data = {}) {
  return little_endian(json.size()) + json + data;
}

SafetensorsFile parse(const std::string& bytes) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return SafetensorsFile::parse(std::as_bytes(std::span(*owner)), "file.safetensors", owner);
}

// The error of reading `bytes`, which must be one line that names the file.
std::string error_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK(text.starts_with("'file.safetensors'"));
    CHECK(text.find('\n') == text.npos);
    CHECK(text.size() < 400);
    return text;
  }
  return "(no error)";
}

bool mentions(const std::string& text, const std::string& part) {
  INFO(text);
  INFO(part);
  return text.find(part) != text.npos;
}

std::string tensor_json(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

Tensor f32(std::vector<float> values, Shape shape) {
  return Tensor::from(std::span<const float>(values), shape);
}

}  // namespace

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

TEST_CASE("a type that Loupe does not compute with may lie in a file but not be read") {
  const auto file = parse(file_bytes(tensor_json("I16", "[1]", "[0,2]"), "ab"));
  CHECK(file.info("t").dtype == "I16");
  CHECK_THROWS_WITH_AS(file.tensor("t"), doctest::Contains("tensor 't' is of type I16"), Error);
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

TEST_CASE("lengths of the header") {
  const std::string json = tensor_json("F32", "[1]", "[0,4]");
  const std::string good = file_bytes(json, "abcd");
  CHECK(error_of(good) == "(no error)");
  CHECK(mentions(error_of(good.substr(0, 3)), "only 3 bytes"));
  CHECK(mentions(error_of(good.substr(0, 20)), "but only 12 bytes follow"));
  CHECK(mentions(error_of(little_endian(100'000'001) + json), "the longest allowed"));
  CHECK(mentions(error_of(little_endian(~uint64_t{0}) + json), "the longest allowed"));
  CHECK(mentions(error_of(little_endian(0) + "abcd"), "does not start with '{'"));
}

TEST_CASE("headers that are not the JSON they should be") {
  struct Case {
    std::string json, expected;
  };
  const std::string one = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const Case cases[] = {
      {"hello", "does not start with '{'"},
      {" {}", "does not start with '{'"},
      {"[1]", "does not start with '{'"},
      {"{", "not valid JSON, at its byte 2"},
      {"{}}", "not valid JSON, at its byte 3"},
      {"{} {}", "not valid JSON"},
      {std::string("{}\0\0", 4), "zero byte"},
      {"{\"\xff\":1}", "not valid JSON"},
      {R"({"a":1e999})", "not valid JSON"},
      {R"({"a":1})", "tensor 'a': its value is a number instead of an object"},
      {R"({"a":null})", "is a null"},
      {R"({"a":[]})", "is an array"},
      {R"({"a":"b"})", "is a text"},
      {R"({"a":{}})", "tensor 'a': it has no dtype"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", "it has no shape"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", "it has no data_offsets"},
      {R"({"a":{"dtype":5}})", "dtype is a number"},
      {R"({"a":{"shape":5}})", "shape is a number"},
      {R"({"a":{"shape":{}}})", "shape is an object"},
      {R"({"a":{"shape":[[1]]}})", "shape contains an array"},
      {R"({"a":{"shape":["1"]}})", "shape contains a text"},
      {R"({"a":{"shape":[true]}})", "shape contains a boolean"},
      {R"({"a":{"dtype":"F32","dtype":"F32"}})", "the field 'dtype' occurs twice"},
      {R"({"a":{"shape":[],"shape":[]}})", "the field 'shape' occurs twice"},
      {R"({"a":{"colour":[]}})", "unknown field 'colour'"},
      {R"({"a":{"data_offsets":[1]}})", "1 numbers instead of 2"},
      {R"({"a":{"data_offsets":[1,2,3]}})", "3 numbers instead of 2"},
      {"{" + one + "," + one + "}", "tensor 'a': the name occurs twice"},
      {R"({"__metadata__":{"a":1}})", "metadata: 'a' is a number instead of a text"},
      {R"({"__metadata__":{"a":{}}})", "metadata: 'a' is an object"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", "metadata: the field 'a' occurs twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", "metadata: the name occurs twice"},
      {R"({"__metadata__":[]})", "metadata: its value is an array"},
      {R"({"two\nlines":1})", "tensor 'two?lines'"},
      {"{\"" + std::string(5000, 'n') + "\":1}", "n…'"},
      {"{\"" + std::string(119, 'n') + "üüü\":1}", "nnn…'"},  // cut between characters, not inside one
  };
  for (const Case& c : cases) CHECK(mentions(error_of(file_bytes(c.json, "abcd")), c.expected));
}

TEST_CASE("200,000 nested brackets do not exhaust the stack") {
  const size_t deep = 200'000;
  std::string objects;
  for (size_t i = 0; i < deep; ++i) objects += "{\"a\":";
  CHECK(mentions(error_of(file_bytes(std::string(deep, '['))), "does not start with '{'"));
  CHECK(mentions(error_of(file_bytes("{\"a\":" + std::string(deep, '['))), "is an array"));
  CHECK(mentions(error_of(file_bytes("{\"a\":{\"shape\":" + std::string(deep, '['))), "contains an array"));
  CHECK(mentions(error_of(file_bytes(objects)), "unknown field 'a'"));
  CHECK(mentions(error_of(file_bytes("{\"__metadata__\":" + objects)), "is an object"));
}

TEST_CASE("shapes and offsets that do not fit") {
  struct Case {
    std::string dtype, shape, offsets, expected;
  };
  // The file has 8 bytes of data.
  const Case cases[] = {
      {"F32", "[2]", "[0,8]", "(no error)"},
      {"F31", "[2]", "[0,8]", "unknown dtype 'F31'"},
      {"f32", "[2]", "[0,8]", "unknown dtype 'f32'"},
      {"F32", "[3]", "[0,8]", "hold 8 bytes, but the shape (3) of F32 takes 12"},
      {"F64", "[2]", "[0,8]", "takes 16"},
      {"F32", "[]", "[0,8]", "the shape () of F32 takes 4"},
      {"F32", "[0]", "[0,8]", "takes 0"},
      {"F32", "[-2]", "[0,8]", "shape has the negative number -2"},
      {"F32", "[2.0]", "[0,8]", "shape has '2.0', which is not a whole number"},
      {"F32", "[1e0]", "[0,8]", "which is not a whole number"},
      {"F32", "[18446744073709551616]", "[0,8]", "which is not a whole number of 64 bits"},
      {"F32", "[9223372036854775808]", "[0,8]", "is too large"},
      {"F32", "[1152921504606846976]", "[0,8]", "takes 4611686018427387904"},
      {"F64", "[1152921504606846976]", "[0,8]", "takes 9223372036854775808"},
      {"F32", "[4294967296,4294967296]", "[0,8]",
       "too many elements"},  // 2^64 elements: 0 if they overflowed
      {"F32", "[1,1,1,1,1,1,2]", "[0,8]", "at most 6 dimensions"},
      {"F32", "[2]", "[-8,0]", "data_offsets has the negative number -8"},
      {"F32", "[2]", "[0.5,8.5]", "data_offsets has '0.5'"},
      {"F32", "[2]", "[8,0]", "end before they begin"},
      {"F32", "[2]", "[8,16]", "reach beyond the file, which has 8 bytes"},
      {"F32", "[2]", "[18446744073709551608,18446744073709551615]", "reach beyond the file"},
      {"F32", "[1]", "[4,8]", "leave a hole of 4 bytes"},
      {"F32", "[1]", "[0,4]", "4 bytes of data belong to no tensor"},
  };
  for (const Case& c : cases)
    CHECK(mentions(error_of(file_bytes(tensor_json(c.dtype, c.shape, c.offsets), "abcdefgh")), c.expected));

  const auto two = [&](const std::string& a, const std::string& b) {
    return error_of(file_bytes(
        R"({"a":{"dtype":"U8","shape":)" + a + R"(},"b":{"dtype":"U8","shape":)" + b + "}}", "abcdefgh"));
  };
  CHECK(two(R"([4],"data_offsets":[4,8])", R"([4],"data_offsets":[0,4])") == "(no error)");
  CHECK(mentions(two(R"([5],"data_offsets":[0,5])", R"([4],"data_offsets":[4,8])"),
                 "tensor 'b': data_offsets [4, 8] overlap those of tensor 'a'"));
  CHECK(mentions(two(R"([8],"data_offsets":[0,8])", R"([8],"data_offsets":[0,8])"), "overlap"));
  CHECK(mentions(two(R"([3],"data_offsets":[0,3])", R"([4],"data_offsets":[4,8])"), "hole of 1 bytes"));
}

// Every change of a good file either reads, with tensors whose every byte can be touched, or is one Error.
// Under the address sanitizer this also shows that nothing outside the bytes is read.
TEST_CASE("thousands of damaged files") {
  const Scratch scratch;
  const std::string path = scratch.file("seed.safetensors");
  write_safetensors(
      path,
      {{"features.0.weight", f32({1, 2, 3, 4}, {2, 2})}, {"bias", f32({5}, {1})}, {"none", f32({}, {0})}},
      {{"format", "pt"}});
  std::ifstream in(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  std::mt19937 random(1);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  const std::string digits = "0123456789-.eE{}[]\",: \\";
  size_t read = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (size_t changes = 1 + below(3); changes-- > 0 && !bytes.empty();) {
      const size_t at = below(bytes.size());
      switch (below(6)) {
        case 0:
          bytes[at] = static_cast<char>(below(256));
          break;
        case 1:
          bytes[at] = digits[below(digits.size())];
          break;
        case 2:
          bytes.insert(at, 1, digits[below(digits.size())]);
          break;
        case 3:
          bytes.erase(at, 1 + below(4));
          break;
        case 4:
          bytes.resize(at);
          break;
        default:
          bytes.insert(at, bytes.substr(below(bytes.size()), below(40)));
          break;
      }
    }
    // An insertion or a deletion would nearly always be caught by the length: let half of them get past it.
    if (bytes.size() >= 8 && below(2)) {
      const uint64_t length = std::min(bytes.size() - 8, bytes.find_last_of('}') - 7);
      std::memcpy(bytes.data(), &length, 8);
    }
    try {
      const SafetensorsFile file = parse(bytes);
      for (const std::string& name : file.names()) {
        const Tensor t = file.tensor(name);
        for (int64_t i = 0; i < t.numel(); ++i) (void)t.item(i);
      }
      ++read;
    } catch (const Error& error) {
      ++refused;
      if (std::strchr(error.what(), '\n')) FAIL("an error of several lines: " << error.what());
    }
  }
  CHECK(read > 100);  // else the changes are too coarse to test anything but the JSON parser
  CHECK(refused > 10'000);
}

TEST_CASE("writing refuses what could not be read") {
  const Scratch scratch;
  const std::string path = scratch.file("a");
  const Tensor t = f32({1}, {1});
  CHECK_THROWS_WITH_AS(write_safetensors(path, {{"a", t}, {"a", t}}), doctest::Contains("called 'a'"), Error);
  CHECK_THROWS_WITH_AS(write_safetensors(path, {{"__metadata__", t}}), doctest::Contains("'__metadata__'"),
                       Error);
  CHECK_THROWS_WITH_AS(write_safetensors(path, {{"\xff", t}}), doctest::Contains("UTF-8"), Error);
  CHECK_THROWS_WITH_AS(write_safetensors(scratch.file("no/such/folder"), {{"a", t}}),
                       doctest::Contains("no/such/folder': No such file or directory"), Error);
  CHECK_THROWS_WITH_AS(write_safetensors(scratch.folder.string(), {{"a", t}}),
                       doctest::Contains("is a directory"), Error);
  CHECK(scratch.count() == 0);
}

TEST_CASE("halves are written as the nearest, ties to even, from float and from double") {
  const auto value = [](int bits) {  // of a finite half without a sign
    const int exponent = bits >> 10, mantissa = bits & 1023;
    return exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
  };
  constexpr int kLargest = 0x7bff;  // 65504
  std::vector<double> given;
  std::vector<uint16_t> nearest;
  const auto add = [&](double x, int bits) {
    given.insert(given.end(), {x, -x});
    nearest.insert(nearest.end(), {static_cast<uint16_t>(bits), static_cast<uint16_t>(bits | 0x8000)});
  };
  for (int bits = 0; bits <= kLargest; ++bits) {
    add(value(bits), bits);
    if (bits == kLargest) break;
    // Half-way to the next one is exact in float; a little off it the nearer one is right.
    const double next = value(bits + 1), middle = (value(bits) + next) / 2;
    add(middle, bits + bits % 2);
    add(std::nextafter(static_cast<float>(middle), 0.0f), bits);
    add(std::nextafter(static_cast<float>(middle), HUGE_VALF), bits + 1);
    add(value(bits) + 0.25 * (next - value(bits)), bits);
  }
  add(std::nextafter(65520.0f, 0.0f), kLargest);
  add(std::numeric_limits<float>::denorm_min(), 0);
  const size_t floats = given.size();
  for (int bits = 0; bits < kLargest; ++bits) {  // a double that a float in between would make a tie
    const double middle = (value(bits) + value(bits + 1)) / 2;
    add(middle * (1 - 0x1p-50), bits);
    add(middle * (1 + 0x1p-50), bits + 1);
  }
  const Scratch scratch;
  const std::string path = scratch.file("halves.safetensors");
  const auto check = [&](Dtype dtype, size_t count) {
    Tensor t(dtype, {static_cast<int64_t>(count)});
    for (size_t i = 0; i < count; ++i) {
      if (dtype == Dtype::f32)
        t.values<float>()[i] = static_cast<float>(given[i]);
      else
        t.values<double>()[i] = given[i];
    }
    write_safetensors_f16(path, {{"halves", t}}, {{"note", "kept"}});
    const SafetensorsFile file = SafetensorsFile::open(path);
    CHECK(file.info("halves").dtype == "F16");
    CHECK(file.metadata().at("note") == "kept");
    std::ifstream stream(path, std::ios::binary);
    stream.seekg(-static_cast<std::streamoff>(2 * count), std::ios::end);
    std::vector<uint16_t> written(count);
    stream.read(reinterpret_cast<char*>(written.data()), static_cast<std::streamsize>(2 * count));
    REQUIRE(stream.good());
    const Tensor read = file.tensor("halves");
    for (size_t i = 0; i < count; ++i) {
      if (written[i] != nearest[i])
        FAIL_CHECK(given[i] << " became " << written[i] << ", not " << nearest[i]);
      const int bits = nearest[i] & 0x7fff;
      const double expected = nearest[i] & 0x8000 ? -value(bits) : value(bits);
      if (read.item(static_cast<int64_t>(i)) != expected)
        FAIL_CHECK(given[i] << " is not read as " << expected);
    }
  };
  check(Dtype::f32, floats);
  check(Dtype::f64, given.size());
}

TEST_CASE("what f16 cannot hold is refused with the tensor's name; other types stay as they are") {
  const Scratch scratch;
  const std::string path = scratch.file("halves.safetensors");
  const Tensor small = Tensor::zeros(Dtype::f32, {3});
  for (const double large : {65520.0, -65520.0, 1e5, 3e38, -1e300}) {
    const Dtype dtype = std::abs(large) < 3.3e38 ? Dtype::f32 : Dtype::f64;
    Tensor t = Tensor::zeros(dtype, {4});
    if (dtype == Dtype::f32)
      t.values<float>()[2] = static_cast<float>(large);
    else
      t.values<double>()[2] = large;
    CHECK_THROWS_WITH_AS(write_safetensors_f16(path, {{"small", small}, {"fc.weight", t}}),
                         doctest::Contains("'fc.weight'"), Error);
    CHECK(scratch.count() == 0);
  }
  Tensor odd(Dtype::f32, {3});
  odd.values<float>()[0] = HUGE_VALF;
  odd.values<float>()[1] = -HUGE_VALF;
  odd.values<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  Tensor whole(Dtype::i32, {2});
  whole.values<int32_t>()[0] = 70000;
  whole.values<int32_t>()[1] = -1;
  write_safetensors_f16(path, {{"odd", odd}, {"whole", whole}, {"none", Tensor::zeros(Dtype::f32, {0, 2})}});
  const SafetensorsFile file = SafetensorsFile::open(path);
  const Tensor read = file.tensor("odd");
  CHECK(read.item(0) == HUGE_VAL);
  CHECK(read.item(1) == -HUGE_VAL);
  CHECK(std::isnan(read.item(2)));
  CHECK(file.info("whole").dtype == "I32");
  CHECK(file.tensor("whole").item(0) == 70000);
  CHECK(file.tensor("none").shape() == Shape{0, 2});
}

TEST_CASE("a write that fails half-way leaves the old file and nothing else") {
  const Scratch scratch;
  const std::string path = scratch.file("a.safetensors");
  write_safetensors(path, {{"x", f32({1}, {1})}});
  // A limit on the size of files stands in for a full disk: write() fails in the same place.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    write_safetensors(path, {{"x", Tensor::zeros(Dtype::f32, {100'000})}});
  } catch (const Error& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(mentions(message, "cannot write '" + path + "': File too large"));
  CHECK(scratch.count() == 1);
  CHECK(SafetensorsFile::open(path).tensor("x").item() == 1);
}

}  // namespace loupe
