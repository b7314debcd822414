// A copy between strided views, one kernel a backend: what transpose, slice, concat, expand and pad move
// their numbers with. An index i = (i₀, i₁, …) with 0 ≤ i_d < size_d names an element on either side:
//
//   y[to_start + Σ i_d · to_d] = x[from_start + Σ i_d · from_d]
//
// Elements are moved as bytes, so that every type of 1, 4 or 8 bytes does.
#pragma once
#include <cstdint>
#include <initializer_list>

#include "kernels/common/array.h"
#include "kernels/common/op.h"

namespace loupe {

/// Plain data, as it crosses the border of a device's module. Strides count elements; those of `from` may be
/// zero (an element is repeated) or negative, and no two indices may name the same element of y.
struct StridedCopy {
  int rank = 0;
  int64_t size[Shape::kMaxRank] = {}, from[Shape::kMaxRank] = {}, to[Shape::kMaxRank] = {};
  int64_t from_start = 0, to_start = 0;

  /// All of a planar array of this shape to itself; ops change the strides of one side.
  static StridedCopy whole(const Shape&);
  /// Back from y to x.
  StridedCopy inverse() const;
  /// The same copy in y's order, without dimensions of size 1, and with neighbours made one where they lie
  /// one after the other on both sides.
  StridedCopy simplified() const;
};

/// The product of dimensions begin … end − 1; 1 for none.
int64_t product(const Shape&, int begin, int end);

/// The copy on a backend. x and y are planar and of one type; what `copy` does not name of y stays as it is.
/// An op with a kernel for each backend passes its own, since nothing in Arguments tells ref from cpu.
void strided_copy(Backend, const Queue&, const StridedCopy& copy, const Array& x, const Array& y);
/// y[i] = value for all of a planar array of f32 (or f64, on ref).
void fill(Backend, const Queue&, const Array& y, float value);

/// For *.op.cpp: an op that moves elements of any type and gives back the type that it got.
class MoveOp : public Op {
 public:
  std::vector<Type> infer(Types inputs) const override;
};

namespace ref {
void strided_copy(const StridedCopy&, const void* x, void* y, int64_t element_bytes);
}  // namespace ref

namespace cpu {
/// `copy` is simplified.
void strided_copy(const StridedCopy& copy, const void* x, void* y, int64_t element_bytes);
}  // namespace cpu

namespace device {  // strided_copy.cu
/// `copy` is simplified; elements of 1 or 4 bytes.
inline constexpr DeviceFunction<void(const StridedCopy& copy, const void* x, void* y, int64_t element_bytes)>
    strided_copy{"strided_copy"};
inline constexpr DeviceFunction<void(float* y, int64_t count, float value)> fill{"fill"};
}  // namespace device

}  // namespace loupe
