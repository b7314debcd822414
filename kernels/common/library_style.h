// How a library is asked to compute where our kernels are compared with it (bench/gpu); no plan asks.
#pragma once
#include <cstdint>

namespace loupe {

/// fp32: float32 throughout, on the float32 cores. tf32: operands and results in float32, and the library may
/// use tensor cores, which read 10 bits of an operand's mantissa and add in float32. bf16: operands and results
/// in bfloat16 (8 bits of mantissa), added in float32.
enum class LibraryMath : uint8_t { fp32, tf32, bf16 };

struct LibraryStyle {
  LibraryMath math = LibraryMath::fp32;
  bool channels_last = false;  // maps (n, h, w, c) and weights (k, h, w, c/groups)
};

}  // namespace loupe
