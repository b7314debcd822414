// The functions of functions/, and the binary ops, over a device's float.
#pragma once
#include "kernels/device/math.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/definition.h"

#undef LOUPE_NUMERIC
#define LOUPE_NUMERIC LOUPE_DEVICE

namespace loupe::LOUPE_TARGET {

namespace numbers {

using Number = float;
LOUPE_DEVICE float select(bool which, float a, float b) { return which ? a : b; }
LOUPE_DEVICE float abs(float x) { return magnitude(x); }
LOUPE_DEVICE float sqrt(float x) { return square_root(x); }
LOUPE_DEVICE float copy_sign(float x, float sign) { return with_sign(x, sign); }

/// As approximations.inc needs it.
using Whole = int32_t;
LOUPE_DEVICE Whole whole(int32_t x) { return x; }
template <int by>
LOUPE_DEVICE Whole shift_left(Whole x) {
  return static_cast<Whole>(static_cast<uint32_t>(x) << by);
}
template <int by>
LOUPE_DEVICE Whole shift_right(Whole x) {
  return x >> by;
}
LOUPE_DEVICE Whole bits_of(float x) { return float_bits(x); }
LOUPE_DEVICE float number_of(Whole bits) { return float_of_bits(bits); }
LOUPE_DEVICE float to_number(Whole x) { return static_cast<float>(x); }

#include "kernels/elementwise/approximations.inc"

}  // namespace numbers

namespace functions {
using numbers::select;
#include "kernels/elementwise/function_files.inc"  // generated
}  // namespace functions

namespace binary_terms {
using numbers::select;
#include "kernels/elementwise/binary_terms.inc"
}  // namespace binary_terms

}  // namespace loupe::LOUPE_TARGET
