// What a library may compute in place of a kernel: cuBLAS and cuDNN on a GPU. In the simulator there is none.
// Each returns false, with nothing done, where no library serves; then the caller launches its own kernel.
#pragma once
#include "kernels/common/library_style.h"
#include "kernels/device/launch.h"

namespace loupe::LOUPE_TARGET {

/// A convolution, as a library sees it.
struct LibraryConvolution {
  int64_t n, c, h, w;  // x
  int64_t k, oh, ow;   // y
  int64_t kernel[2], stride[2], padding[2], dilation[2];
  int64_t groups;
};

/// One product c (m × n, row-major) of a (m × k) and b (k × n), as a library sees it: from row to row and
/// from column to column of an operand, in floats; one of the two is 1.
struct LibraryProduct {
  int64_t m, n, k;
  int64_t a_row, a_col, b_row, b_col;
  bool add;  // to what is in c
};

/// What a convolution's library call computes.
///   forward     from = x, with = weight, to = y
///   vjp_input   from = gy, with = weight, to = gx
///   vjp_weight  from = x, with = gy, to = gweight
enum class LibraryPass : uint8_t { forward, vjp_input, vjp_weight };

#if !defined(LOUPE_SIM)

/// c = a · b in float32, or c += a · b.
bool library_product(Stream, const LibraryProduct&, const float* a, const float* b, float* c);
/// The same in the arithmetic of a comparison, which says the operands' type too.
bool library_product_compared(Stream, const LibraryProduct&, LibraryMath, const void* a, const void* b,
                              void* c);
/// y = x · weight in float32: x (rows, in), weight (in, out) with `pitch` floats from row to row, y (rows,
/// out). A row's bits do not depend on the other rows.
bool library_linear(Stream, int64_t rows, int64_t in, int64_t out, const float* x, const float* weight,
                    int64_t pitch, float* y);
/// Without bias. x, gx (n, c, h, w); weight, gweight (k, c/groups, kernel); y, gy (n, k, oh, ow); or in the
/// style's order and type.
bool library_convolution(Stream, LibraryPass, const LibraryConvolution&, LibraryStyle, const void* from,
                         const void* with, void* to);

#else

inline bool library_product(Stream, const LibraryProduct&, const float*, const float*, float*) {
  return false;
}
inline bool library_product_compared(Stream, const LibraryProduct&, LibraryMath, const void*, const void*,
                                     void*) {
  return false;
}
inline bool library_linear(Stream, int64_t, int64_t, int64_t, const float*, const float*, int64_t, float*) {
  return false;
}
inline bool library_convolution(Stream, LibraryPass, const LibraryConvolution&, LibraryStyle, const void*,
                                const void*, void*) {
  return false;
}

#endif

}  // namespace loupe::LOUPE_TARGET
