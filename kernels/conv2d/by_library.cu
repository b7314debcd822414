// The device's side of by_library.h: calls of the libraries, and the one small kernel that follows them.
//
// Floor of bias_and_epilogue: reads and writes 4 bytes an element. One thread an element, in order.
#include "kernels/conv2d/by_library.h"

#include <utility>

#include "kernels/device/export.h"
#include "kernels/device/library.h"
#include "kernels/elementwise/epilogue.h"

namespace loupe::LOUPE_TARGET {

// conv2d.cu
void conv2d_convolve(Stream stream, ConvSizes s, Direction direction, ConvTile tile, const float* from,
                     const float* weight, const float* bias, Epilogue, const float* residual, float* to,
                     void* record);

namespace {

constexpr int kThreads = 256;

LOUPE_KERNEL bias_and_epilogue_kernel(int64_t count, int64_t pixels, const float* bias, Epilogue epilogue,
                                      EpilogueArrays arrays, float* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t image = i / arrays.image, element = i % arrays.image;
  const float sum = bias ? y[i] + bias[element / pixels] : y[i];
  y[i] = finish_value(epilogue, arrays, sum, image, element);
}

LibraryConvolution described(const ConvSizes& s) {
  return {s.n,
          s.c,
          s.h,
          s.w,
          s.k,
          s.oh,
          s.ow,
          {s.kernel.h, s.kernel.w},
          {s.stride.h, s.stride.w},
          {s.padding.h, s.padding.w},
          {s.dilation.h, s.dilation.w},
          s.groups};
}

[[noreturn]] void no_cudnn() {
  throw Failure("convolutions by cuDNN need device cuda, in a build with cuDNN");
}

}  // namespace

void bias_and_epilogue(Stream stream, int64_t n, int64_t k, int64_t pixels, const float* bias,
                       Epilogue epilogue, const float* residual, float* y, void* record) {
  const bool bits = writes_bits(epilogue, record);
  const Epilogue end = bits ? Epilogue{} : epilogue;
  const int64_t count = n * k * pixels;
  if (bias || end)
    launch({{blocks_for(count, kThreads)}, {kThreads}, 0, stream}, bias_and_epilogue_kernel, count, pixels,
           bias, end, EpilogueArrays{residual, record, k * pixels}, y);
  if (bits) finish(stream, epilogue, y, residual, y, record, n, k * pixels);
}

void linear_product(Stream stream, ConvSizes s, Direction direction, ConvTile tile, const float* from,
                    const float* packed, const float* bias, Epilogue epilogue, const float* residual,
                    float* to, void* record) {
  const bool adjoint = direction == Direction::vjp_input;
  const int64_t in = adjoint ? s.k : s.c, out = adjoint ? s.c : s.k;
  if (!library_linear(stream, s.n, in, out, from, packed, device::conv2d_pitch(s, direction, tile), to))
    return conv2d_convolve(stream, s, direction, tile, from, packed, bias, epilogue, residual, to, record);
  bias_and_epilogue(stream, s.n, out, 1, bias, epilogue, residual, to, record);
}

void conv2d_by_library(Stream stream, ConvSizes s, Direction direction, const float* from,
                       const float* weight, const float* bias, Epilogue epilogue, const float* residual,
                       float* to, void* record) {
  const bool adjoint = direction == Direction::vjp_input;
  if (!library_convolution(stream, adjoint ? LibraryPass::vjp_input : LibraryPass::forward, described(s), {},
                           from, weight, to))
    no_cudnn();
  bias_and_epilogue(stream, s.n, adjoint ? s.c : s.k, adjoint ? s.h * s.w : s.oh * s.ow, bias, epilogue,
                    residual, to, record);
}

void conv2d_vjp_weight_by_library(Stream stream, ConvSizes s, const float* x, const float* gy, float* gw) {
  if (!library_convolution(stream, LibraryPass::vjp_weight, described(s), {}, x, gy, gw)) no_cudnn();
}

void conv2d_compared(Stream stream, ConvSizes s, Direction direction, LibraryStyle style, const void* from,
                     const void* with, void* to) {
  const LibraryPass pass = direction.is_forward()               ? LibraryPass::forward
                           : direction == Direction::vjp_weight ? LibraryPass::vjp_weight
                                                                : LibraryPass::vjp_input;
  if (!library_convolution(stream, pass, described(s), style, from, with, to)) no_cudnn();
}

void linear_compared(Stream stream, LinearSizes s, Direction direction, LibraryMath math, const void* from,
                     const void* with, void* to) {
  LibraryProduct p{s.n, s.out, s.in, s.in, 1, 1, s.in, false};  // y = x · weightᵀ
  if (direction == Direction::vjp_input)
    p = {s.n, s.in, s.out, s.out, 1, s.in, 1, false};  // gx = gy · weight
  if (direction == Direction::vjp_weight) {            // gw = gyᵀ · x
    p = {s.out, s.in, s.n, 1, s.out, s.in, 1, false};
    std::swap(from, with);
  }
  if (!library_product_compared(stream, p, math, from, with, to))
    throw Failure("products by cuBLAS need device cuda, in a build with cuBLAS");
}

LOUPE_EXPORT(linear_product);
LOUPE_EXPORT(conv2d_by_library);
LOUPE_EXPORT(conv2d_vjp_weight_by_library);
LOUPE_EXPORT(bias_and_epilogue);
LOUPE_EXPORT(conv2d_compared);
LOUPE_EXPORT(linear_compared);

}  // namespace loupe::LOUPE_TARGET
