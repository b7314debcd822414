// The least time that a kernel's work takes on each unit of a device that it needs.
//
// Memory: every operand read once and every result written once, at the peak of the bandwidth. FFMA: the
// multiply-adds of the definition, one by one on the float32 cores. Tensor cores: the same in tf32. A kernel
// needs the memory and one of the other two, so the longer of its times is its floor; which one that is, is
// what binds it.
//
// The memory's floor holds for any kernel whose operands come from there. The others hold for kernels that do
// the multiply-adds of the definition: Winograd's convolution needs fewer of them (a 3×3 one 2.25 times fewer
// as F(2×2, 3×3), 4 times as F(4×4, 3×3)), an FFT's too, and may so be below.
#pragma once
#include <algorithm>
#include <cstdint>

namespace loupe::bench {

/// Of a device, from its clocks and widths; 0: not known.
struct Peaks {
  double gb_per_s = 0, fp32_tflops = 0, tf32_tflops = 0;
};

/// Microseconds; 0: nothing to do, or not known.
struct Floors {
  double memory = 0, ffma = 0, tf32 = 0;
  /// For a kernel on the float32 cores.
  double on_cores() const { return std::max(memory, ffma); }
  /// For one on the tensor cores, were there one.
  double on_tensor_cores() const { return std::max(memory, tf32); }
  const char* binds() const { return memory >= ffma ? "memory" : "FFMA"; }
};

/// `flops`: two for each multiply-add.
inline Floors floors_of(const Peaks& peaks, int64_t bytes, double flops) {
  const auto us = [](double work, double per_us) { return per_us > 0 ? work / per_us : 0; };
  return {us(static_cast<double>(bytes), 1e3 * peaks.gb_per_s), us(flops, 1e6 * peaks.fp32_tflops),
          us(flops, 1e6 * peaks.tf32_tflops)};
}

}  // namespace loupe::bench
