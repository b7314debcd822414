#include <cstring>

#include "tests/support/op_call.h"

namespace loupe::test {

namespace {

int64_t image_elements(const Shape& s) { return s.rank() && s[0] ? s.numel() / s[0] : s.numel(); }

// visit(i, position) of every row-major element `i` of an array: where it lies, counted in elements (in bits, for bit).
template <typename Visit>
void each_element(const Stored& a, const Visit& visit) {
  const int64_t image = image_elements(a.shape), images = image ? a.shape.numel() / image : 0;
  int64_t i = 0;
  if (a.layout == Layout::planar) {
    const int64_t stride = a.dtype == Dtype::bit ? round_up(image, 8) : image;
    for (int64_t n = 0; n < images; ++n)
      for (int64_t r = 0; r < image; ++r) visit(i++, n * stride + r);
    return;
  }
  const Nchw s = Nchw::of(a.shape);
  const int64_t pixels = s.h * s.w;
  for (int64_t n = 0; n < images; ++n)
    for (int64_t c = 0; c < s.c; ++c) {
      const int64_t start = (n * blocks(s.c) + c / kBlock) * pixels * kBlock + c % kBlock;
      for (int64_t p = 0; p < pixels; ++p) visit(i++, start + p * kBlock);
    }
}

template <typename T>
T read(const std::byte* bytes, int64_t i) {
  T value;
  std::memcpy(&value, bytes + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
void write(std::byte* bytes, int64_t i, double number) {
  const T value = static_cast<T>(number);
  std::memcpy(bytes + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

double get(const Stored& a, int64_t at) {
  const std::byte* b = a.bytes.data();
  switch (a.dtype) {
    case Dtype::f32:
      return double{read<float>(b, at)};
    case Dtype::f64:
      return read<double>(b, at);
    case Dtype::i32:
      return read<int32_t>(b, at);
    case Dtype::u8:
      return read<uint8_t>(b, at);
    case Dtype::bit:
      return (read<uint8_t>(b, at / 8) >> (at % 8)) & 1;
  }
  return 0;
}

void set(Stored& a, int64_t at, double number) {
  std::byte* b = a.bytes.data();
  switch (a.dtype) {
    case Dtype::f32:
      return write<float>(b, at, number);
    case Dtype::f64:
      return write<double>(b, at, number);
    case Dtype::i32:
      return write<int32_t>(b, at, number);
    case Dtype::u8:
      return write<uint8_t>(b, at, number);
    case Dtype::bit:
      return write<uint8_t>(b, at / 8, read<uint8_t>(b, at / 8) | (number != 0) << (at % 8));
  }
}

}  // namespace

std::string coordinates(const Shape& shape, int64_t index) {
  std::string s;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    s = std::to_string(index % shape[d]) + (s.empty() ? "" : ", ") + s;
    index /= shape[d];
  }
  return "(" + s + ")";
}

Stored Stored::of(const Numbers& numbers, Dtype dtype, const Shape& shape, Layout layout) {
  Stored s{dtype, shape, layout, {}};
  s.bytes.resize(static_cast<size_t>(array_bytes(dtype, shape, layout)));
  each_element(s, [&](int64_t i, int64_t at) { set(s, at, numbers[static_cast<size_t>(i)]); });
  return s;
}

Numbers Stored::numbers() const {
  Numbers n(static_cast<size_t>(shape.numel()));
  each_element(*this, [&](int64_t i, int64_t at) { n[static_cast<size_t>(i)] = get(*this, at); });
  return n;
}

Stored Stored::rows(int64_t begin, int64_t count) const {
  const int64_t size = image_bytes(dtype, shape, layout);
  const auto first = bytes.begin() + begin * size;
  return {dtype, shape.with(0, count), layout, {first, first + count * size}};
}

}  // namespace loupe::test
