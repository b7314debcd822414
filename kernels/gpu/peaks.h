// What a multiprocessor can do in a clock, by compute capability.
#pragma once

namespace loupe::gpu {

/// Multiply-adds: on the float32 cores, and on the tensor cores with dense operands, sums in float32. 0: not
/// known.
struct MultiplyAdds {
  int fp32, tf32, bf16;
};

/// float32: CUDA C++ Programming Guide, "Throughput of Native Arithmetic Instructions". Tensor cores: from the
/// dense peaks of NVIDIA's data sheets, divided by multiprocessors and boost clock:
///   8.0   A100           156 and  312 TFLOP/s in tf32 and bf16, 108 at 1.410 GHz
///   8.6   A40             74.8 and 149.7                         84 at 1.740
///   8.9   L40S           183 and  366                           142 at 2.520
///   9.0   H100 SXM       494.7 and 989.4                        132 at 1.830
///   10.0  B200          1100 and 2250                           148 at 1.850
///   12.0  RTX PRO 6000   251 and  503                           188 at 2.617
/// GeForce cards of 8.6, 8.9 and 12.0 do half of that; a floor from here is still one for them.
constexpr MultiplyAdds multiply_adds(int major, int minor) {
  switch (10 * major + minor) {
    case 80:
      return {64, 512, 1024};
    case 86:
    case 89:
    case 120:
      return {128, 256, 512};
    case 90:
      return {128, 1024, 2048};
    case 100:
      return {128, 2048, 4096};
    default:
      return {128, 0, 0};
  }
}

}  // namespace loupe::gpu
