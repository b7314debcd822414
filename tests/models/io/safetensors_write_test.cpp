// Writing safetensors: what is refused, how halves are rounded, and what a failure leaves.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <limits>

#include "tests/support/safetensors_bytes.h"

namespace loupe {

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
