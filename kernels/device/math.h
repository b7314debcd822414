// Arithmetic whose rounding both targets agree on. The compiler contracts nothing (-fmad=false,
// -ffp-contract=off): a fused multiply-add happens where one is written.
#pragma once
#include <cmath>

#include "kernels/device/target.h"

namespace loupe::LOUPE_TARGET {

/// a·b + c with one rounding.
LOUPE_DEVICE float fused(float a, float b, float c) {
#if defined(__CUDACC__)
  return __fmaf_rn(a, b, c);
#else
  return __builtin_fmaf(a, b, c);
#endif
}
/// |x|, x with the sign of another number, and √x rounded correctly.
LOUPE_DEVICE float magnitude(float x) { return __builtin_fabsf(x); }
LOUPE_DEVICE float with_sign(float x, float sign) { return __builtin_copysignf(x, sign); }
LOUPE_DEVICE float square_root(float x) {
#if defined(__CUDACC__)
  return __fsqrt_rn(x);
#else
  return __builtin_sqrtf(x);
#endif
}
/// A float's bits, and back.
LOUPE_DEVICE int32_t float_bits(float x) {
#if defined(__CUDACC__)
  return __float_as_int(x);
#else
  return __builtin_bit_cast(int32_t, x);
#endif
}
LOUPE_DEVICE float float_of_bits(int32_t bits) {
#if defined(__CUDACC__)
  return __int_as_float(bits);
#else
  return __builtin_bit_cast(float, bits);
#endif
}
/// The larger one; NaN wins, as in PyTorch.
LOUPE_DEVICE float max_nan(float a, float b) { return a > b || a != a ? a : b; }

LOUPE_DEVICE bool is_nan(float x) { return x != x; }
/// −∞
LOUPE_DEVICE float minus_infinity() {
#if defined(__CUDACC__)
  return __int_as_float(static_cast<int>(0xff800000u));
#else
  return -__builtin_inff();
#endif
}

}  // namespace loupe::LOUPE_TARGET
