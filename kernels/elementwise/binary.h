// Binary ops with broadcasting, as numpy's: y = a ∘ b, where a dimension counted from the right is of one
// size in both operands, or 1 or missing in one, which is then repeated.
//
//   add   a + b        mul  a·b       maximum  the larger one, NaN if one is
//   sub   a − b        div  a / b     minimum  the smaller one, NaN if one is
//
//   less           1 where a < b, else 0       equal  1 where a = b, else 0
//   less_or_equal  1 where a ≤ b, else 0       keep   a where b ≠ 0, else 0, whatever a is
//
// Comparisons with NaN are 0, and no signal passes a comparison, nor goes to b of keep.
//
// The vjp to an operand is summed over the dimensions in which that operand was repeated. Where a maximum or
// minimum is a tie, half of the signal goes to each operand, as in PyTorch.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

enum class Binary : uint8_t { add, sub, mul, div, maximum, minimum, less, less_or_equal, equal, keep };

/// Graph nodes: two inputs whose shapes broadcast.
OpPtr add();
OpPtr sub();
OpPtr mul();
OpPtr div();
OpPtr maximum();
OpPtr minimum();
OpPtr less();
OpPtr less_or_equal();
OpPtr equal();
OpPtr keep();

/// One direction of a binary op. With the indices k over `kept` and t over `summed`, both row-major,
///
///   to[k] = Σ_t term(g, a, b),     term = a ∘ b (forward; nothing is summed) or g · ∂(a ∘ b)/∂operand,
///
/// and the terms are added in the order of t. Neighbouring dimensions that all arrays walk through alike are
/// one.
struct BinarySum {
  struct Dim {
    int64_t size = 1, g = 0, a = 0,
            b = 0;  // and from one index to the next, in elements of g (or y), a and b
  };
  struct Dims {
    int rank = 0;
    Dim dim[Shape::kMaxRank + 1] = {};  // outermost first

    constexpr int64_t count() const {
      int64_t n = 1;
      for (int i = 0; i < rank; ++i) n *= dim[i].size;
      return n;
    }
    struct Offsets {
      int64_t g, a, b;
    };
    /// Where the arrays are at index `i`, the last `without` dimensions left out.
    constexpr Offsets at(int64_t i, int without = 0) const {
      Offsets o{0, 0, 0};
      for (int d = rank - 1 - without; d >= 0; --d) {
        const int64_t outer = d ? i / dim[d].size : 0, here = i - outer * dim[d].size;
        o = {o.g + here * dim[d].g, o.a + here * dim[d].a, o.b + here * dim[d].b};
        i = outer;
      }
      return o;
    }
  };
  Binary kind;
  int operand;  // of a vjp; −1: forward
  Dims kept = {}, summed = {};
  /// The innermost dimension of all is one of `summed`: neighbours in memory are terms of one sum.
  bool rows = false;
};

/// For operands of these shapes, or of the blocked layout of such.
BinarySum binary_sum(Binary, Direction, const Shape& a, const Shape& b, Layout);

// Arrays that a term does not read are null. `to` may be a forward, and g backward, where they have the shape
// of the result.
namespace ref {
template <typename T>
void binary(const BinarySum&, const T* g, const T* a, const T* b, T* to);
}  // namespace ref
namespace cpu {
void binary(const BinarySum&, const float* g, const float* a, const float* b, float* to);
}  // namespace cpu
namespace device {  // binary.cu
inline constexpr DeviceFunction<void(BinarySum, const float* g, const float* a, const float* b, float* to)>
    binary{"binary"};
}  // namespace device

}  // namespace loupe
