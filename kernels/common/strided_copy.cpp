#include "kernels/common/strided_copy.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "kernels/common/parallel.h"

namespace loupe {

StridedCopy StridedCopy::whole(const Shape& shape) {
  StridedCopy c;
  c.rank = shape.rank();
  for (int d = 0; d < c.rank; ++d) {
    c.size[d] = shape[d];
    c.from[d] = c.to[d] = product(shape, d + 1, c.rank);
  }
  return c;
}

StridedCopy StridedCopy::inverse() const {
  StridedCopy c = *this;
  std::swap(c.from, c.to);
  std::swap(c.from_start, c.to_start);
  return c;
}

StridedCopy StridedCopy::simplified() const {
  int order[Shape::kMaxRank];
  std::iota(order, order + rank, 0);
  std::stable_sort(order, order + rank, [this](int a, int b) { return std::abs(to[a]) > std::abs(to[b]); });
  StridedCopy c;
  c.from_start = from_start;
  c.to_start = to_start;
  for (int i = 0; i < rank; ++i) {
    const int d = order[i], last = c.rank - 1;
    if (size[d] == 1) continue;
    const bool joins = last >= 0 && c.from[last] == from[d] * size[d] && c.to[last] == to[d] * size[d];
    if (!joins) c.size[c.rank++] = 1;
    c.size[c.rank - 1] *= size[d];
    c.from[c.rank - 1] = from[d];
    c.to[c.rank - 1] = to[d];
  }
  return c;
}

int64_t product(const Shape& shape, int begin, int end) {
  int64_t n = 1;
  for (int d = begin; d < end; ++d) n *= shape[d];
  return n;
}

void strided_copy(Backend backend, const Queue& queue, const StridedCopy& copy, const Array& x,
                  const Array& y) {
  const int64_t bytes = dtype_bytes(y.dtype);
  if (backend == Backend::ref) return ref::strided_copy(copy, x.data, y.data, bytes);
  const StridedCopy simple = copy.simplified();
  if (backend == Backend::cpu) return cpu::strided_copy(simple, x.data, y.data, bytes);
  device::strided_copy(queue, simple, x.data, y.data, bytes);
}

void fill(Backend backend, const Queue& queue, const Array& y, float value) {
  const int64_t count = y.shape.numel();
  if (backend == Backend::cuda || backend == Backend::sim)
    return device::fill(queue, y.as<float>(), count, value);
  with_float_type(y.dtype, [&](auto t) {
    using T = decltype(t);
    constexpr int64_t kPiece = 1 << 16;
    T* to = y.as<T>();
    parallel_for(ceil_div(count, kPiece), [=](int64_t i) {
      std::fill(to + i * kPiece, to + std::min(count, (i + 1) * kPiece), static_cast<T>(value));
    });
  });
}

std::vector<Type> MoveOp::infer(Types inputs) const {
  std::vector<Shape> shapes;
  for (const Type& t : inputs) shapes.push_back(t.shape);
  const Shape y = shape(shapes);
  return {{.dtype = inputs.empty() ? Dtype::f32 : inputs[0].dtype, .shape = y}};
}

}  // namespace loupe
