#include "engine/tensor/npy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "kernels/common/error.h"

namespace loupe {
namespace {

std::string npy(const std::string& header, const std::string& data, int major = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(major);
  bytes += '\0';
  const auto length = static_cast<uint32_t>(header.size());
  const char* start = reinterpret_cast<const char*>(&length);
  bytes.append(start, major == 1 ? 2 : 4);
  return bytes + header + data;
}

std::string dict(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }     \n";
}

template <typename T>
std::string data_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

Tensor parse(const std::string& bytes) { return parse_npy(std::as_bytes(std::span(bytes)), "a.npy"); }

std::string error_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK(text.starts_with("'a.npy'"));
    CHECK(text.find('\n') == text.npos);
    return text;
  }
  return "(no error)";
}

}  // namespace

TEST_CASE("what is encoded is read again") {
  const Tensor f = Tensor::from(std::vector<float>{1, -2.5f, 0, 4, 5, 6}, {2, 3});
  const std::string bytes = encode_npy(f);
  CHECK((bytes.size() - 24) % 64 == 0);
  for (const Tensor& x :
       {f, f.to(Dtype::f64), f.reshape({6}), f.slice(1, 2), Tensor::zeros(Dtype::i32, {2, 1, 4}),
        Tensor::from(std::vector<uint8_t>{7, 255}, {2}), Tensor::zeros(Dtype::f32, {0, 3}),
        f.reshape({1, 1, 6}).row(0).row(0).slice(0, 1).reshape({})}) {
    const Tensor again = parse(encode_npy(x));
    CHECK(again.dtype() == x.dtype());
    CHECK(again.shape() == x.shape());
    for (int64_t i = 0; i < x.numel(); ++i) CHECK(again.item(i) == x.item(i));
  }
}

TEST_CASE("arrays of every type and version") {
  const Tensor f = parse(npy(dict("<f4", "(2, 3)"), data_of<float>({1, 2, 3, 4, 5, 6.5f})));
  CHECK(f.shape() == Shape{2, 3});
  CHECK(f.values<float>()[5] == 6.5f);
  const Tensor d = parse(npy(dict("<f8", "(2,)"), data_of<double>({0.1, -1}), 2));
  CHECK(d.shape() == Shape{2});
  CHECK(d.values<double>()[0] == 0.1);
  const Tensor i = parse(npy(dict("<i4", "()"), data_of<int32_t>({-9}), 3));
  CHECK(i.shape().rank() == 0);
  CHECK(i.values<int32_t>()[0] == -9);
  CHECK(parse(npy(dict("|u1", "(3,)"), "\x01\x02\xff")).values<uint8_t>()[2] == 255);
  CHECK(parse(npy(dict("<f4", "(0, 3)"), "")).numel() == 0);
  // Numbers whose highest byte comes first.
  CHECK(parse(npy(dict(">f4", "(1,)"), std::string("\x40\xd0\0\0", 4))).item() == 6.5);
  CHECK(parse(npy(dict(">i4", "(1,)"), "\xff\xff\xff\xf7")).item() == -9);
  const Tensor labels = parse(npy(dict("<i8", "(3,)"), data_of<int64_t>({7, -1, INT32_MIN})));
  CHECK(labels.dtype() == Dtype::i32);
  CHECK(labels.values<int32_t>()[0] == 7);
  CHECK(labels.values<int32_t>()[2] == INT32_MIN);
  CHECK(parse(npy(dict(">i8", "(1,)"), "\xff\xff\xff\xff\xff\xff\xff\xf7")).item() == -9);
  CHECK(parse(npy(dict(">f8", "(1,)"), std::string("\xbf\xf0\0\0\0\0\0\0", 8))).item() == -1);
  // Keys in another order, other quotes, no spaces.
  CHECK(parse(npy("{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"|u1\"}", "\x05")).item() == 5);
}

TEST_CASE("half precision of either byte order is float32, exactly") {
  // IEEE 754-2008, table 3.5: 1, -2, the largest, the smallest normal, the smallest, a third, zeros, infinity, NaN.
  const std::vector<uint16_t> halves{0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001,
                                     0x3555, 0x0000, 0x8000, 0x7C00, 0x7E00};
  const double expected[] = {1, -2, 65504, 0x1p-14, 0x1p-24, 0.333251953125, 0, -0.0, INFINITY, NAN};
  std::vector<uint16_t> swapped;
  for (const uint16_t h : halves) swapped.push_back(static_cast<uint16_t>(h << 8 | h >> 8));
  for (const Tensor& x : {parse(npy(dict("<f2", "(10,)"), data_of(halves))),
                          parse(npy(dict(">f2", "(10,)"), data_of(swapped)))}) {
    REQUIRE(x.dtype() == Dtype::f32);
    for (int64_t i = 0; i < 9; ++i) CHECK(x.item(i) == expected[i]);
    CHECK(std::signbit(x.item(7)));
    CHECK(std::isnan(x.item(9)));
  }
}

TEST_CASE("what is not such an array is one clear line") {
  struct Case {
    std::string bytes, expected;
  };
  const std::string four = "abcd";
  const Case cases[] = {
      {"", "is not a NumPy array file"},
      {"PK\3\4 this is an npz archive", "is not a NumPy array file"},
      {npy(dict("<f4", "(1,)"), four, 4), "of .npy version 4"},
      {npy(dict("<f4", "(1,)"), four).substr(0, 40), "ends within its header"},
      {npy(dict("<f4", "(1,)"), four, 2).substr(0, 11), "ends within its header"},
      {npy(dict("<f4", "(1,)"), "abc"), "has 3 bytes of data, but its shape (1) takes 4"},
      {npy(dict("<f4", "(1,)"), "abcde"), "has 5 bytes of data"},
      {npy(dict("<f4", "(1, 1)", "True"), four), "is in Fortran order"},
      {npy(dict(">f4", "(2,)"), four), "has 4 bytes of data, but its shape (2) takes 8"},
      {npy(dict("<f2", "(3,)"), four), "has 4 bytes of data, but its shape (3) takes 6"},
      {npy(dict("|f4", "(1,)"), four), "is of type '|f4'; Loupe reads f2, f4"},
      {npy(dict(">f16", "(1,)"), four), "is of type '>f16'"},
      {npy(dict("<u8", "(1,)"), four), "is of type '<u8'"},
      {npy(dict("<i8", "(1,)"), four), "has 4 bytes of data, but its shape (1) takes 8"},
      {npy(dict("<i8", "(2,)"), data_of<int64_t>({1, int64_t{1} << 31})),
       "holds 2147483648, which does not fit"},
      {npy(dict("|O", "(1,)"), four), "is of type '|O'"},
      {npy(dict("a\nb", "(1,)"), four), "is of type 'a?b'"},
      {npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", four), "holds records"},
      {npy(dict("<f4", "(-1,)"), four), "negative size -1"},
      {npy(dict("<f4", "(4294967296, 4294967296)"), four), "too many elements"},
      {npy(dict("<f8", "(1152921504606846976,)"), four), "takes 9223372036854775808"},
      {npy(dict("<f4", "(1,1,1,1,1,1,1)"), four), "at most 6 dimensions"},
      {npy(dict("<f4", "(99999999999999999999,)"), four), "not that of an array file"},
      {npy(dict("<f4", "(1.5,)"), four), "not that of an array file"},
      {npy(dict("<f4", "(1"), four), "not that of an array file"},
      {npy(dict("<f4", "1"), four), "not that of an array file"},
      {npy(dict("<f4", "(1,)", "0"), four), "not that of an array file"},
      {npy("{'descr': '<f4', 'fortran_order': False}", four), "not that of an array file"},
      {npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", four),
       "not that of an array file"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", four), "not that of an array file"},
      {npy("{'descr", four), "not that of an array file"},
      {npy("", four), "not that of an array file"},
      {npy(std::string(60'000, '('), four), "not that of an array file"},
  };
  for (const Case& c : cases) {
    const std::string text = error_of(c.bytes);
    INFO(text);
    INFO(c.expected);
    CHECK(text.find(c.expected) != text.npos);
  }
  CHECK_THROWS_WITH_AS(read_npy("/no/such.npy"), doctest::Contains("'/no/such.npy': No such file"), Error);
}

TEST_CASE("thousands of damaged arrays") {
  const std::string good = npy(dict("<f4", "(2, 3)"), data_of<float>({1, 2, 3, 4, 5, 6}));
  std::mt19937 random(1);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  int read = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (size_t changes = 1 + below(3); changes-- > 0 && !bytes.empty();) {
      const size_t at = below(bytes.size());
      if (below(4) == 0)
        bytes.resize(at);
      else
        bytes[at] = "0123456789(),'{}<|-fu "[below(22)];
    }
    try {
      const Tensor t = parse(bytes);
      for (int64_t i = 0; i < t.numel(); ++i) (void)t.item(i);
      ++read;
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(read > 1000);
  CHECK(refused > 5000);
}

}  // namespace loupe
