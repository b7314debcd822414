#include "models/io/onnx/fold.h"

namespace loupe::onnx {

Shape broadcast(const Shape& a, const Shape& b) {
  std::vector<int64_t> dims(static_cast<size_t>(std::max(a.rank(), b.rank())));
  for (size_t i = 0; i < dims.size(); ++i) {
    const int from_end = static_cast<int>(dims.size() - i);
    const int64_t p = from_end <= a.rank() ? a[a.rank() - from_end] : 1;
    const int64_t q = from_end <= b.rank() ? b[b.rank() - from_end] : 1;
    if (p != q && p != 1 && q != 1)
      throw Error("shapes " + a.str() + " and " + b.str() + " do not broadcast");
    dims[i] = p == 1 ? q : p;
  }
  return Shape(std::span<const int64_t>(dims));
}

int64_t repeated(const Shape& from, const Shape& to, int64_t i) {
  int64_t place = 0, step = 1;
  for (int d = to.rank() - 1, e = from.rank() - 1; e >= 0; --d, --e) {
    const int64_t at = i % to[d];
    i /= to[d];
    if (from[e] != 1) place += at * step;
    step *= from[e];
  }
  return place;
}

std::vector<int64_t> strides(const Shape& s) {
  std::vector<int64_t> steps(static_cast<size_t>(s.rank()), 1);
  for (int i = s.rank() - 2; i >= 0; --i)
    steps[static_cast<size_t>(i)] = steps[static_cast<size_t>(i + 1)] * s[i + 1];
  return steps;
}

int axis_of(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    throw Error("there is no axis " + std::to_string(axis) + " of " + std::to_string(rank));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

void wrap(Constant& c) {
  const auto as = [&](auto narrow) {
    for (int64_t& v : c.integers) v = static_cast<decltype(narrow)>(v);
  };
  switch (c.type) {
    case ElementType::u8:
      return as(uint8_t{});
    case ElementType::i8:
      return as(int8_t{});
    case ElementType::u16:
      return as(uint16_t{});
    case ElementType::i16:
      return as(int16_t{});
    case ElementType::u32:
      return as(uint32_t{});
    case ElementType::i32:
      return as(int32_t{});
    case ElementType::boolean:
      return as(bool{});
    default:;
  }
}

Constant reshaped(const Constant& x, const Shape& shape) {
  if (shape.numel() != x.numel())
    throw Error("a reshape to " + shape.str() + " does not fit " + x.shape.str());
  Constant y = x;
  y.shape = shape;
  if (y.is_real()) y.reals = y.reals.reshape(shape);
  return y;
}

}  // namespace loupe::onnx
