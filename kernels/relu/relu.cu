// The relu family on a GPU: one thread an element, and a warp's ballot makes 32 bits of the mask at once.
//
// Floor: forward reads 4 bytes and writes 4⅛, the vjp reads 4⅛ and writes 4. A warp of 32 consecutive
// elements is one 128-byte line.
#include "kernels/relu/relu.h"

#include "kernels/device/export.h"
#include "kernels/device/warp.h"
#include "kernels/relu/activate.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kThreads = 256;

// blockIdx.y is the image. An image's mask starts at a byte of its own, so a warp writes bytes, not words.
LOUPE_KERNEL activation_forward_kernel(Activation a, const float* x, float* y, uint8_t* mask, int64_t image) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t at = blockIdx.y * image + i;
  const float value = i < image ? x[at] : 0;
  if (i < image) y[at] = activate(a, value);
  if (!mask) return;
  const uint32_t bits = ballot(i < image && passes(a, value));
  if (i % 8 == 0 && i < image)
    mask[blockIdx.y * ((image + 7) / 8) + i / 8] = static_cast<uint8_t>(bits >> (i % 32));
}

LOUPE_KERNEL activation_vjp_kernel(Activation a, const float* gy, const uint8_t* mask, float* gx,
                                   int64_t image) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= image) return;
  const int64_t at = blockIdx.y * image + i;
  const bool open = mask[blockIdx.y * ((image + 7) / 8) + i / 8] >> (i % 8) & 1;
  const float g = gy[at];
  gx[at] = open ? g : a.kind == Activation::Kind::leaky_relu ? g * a.slope : 0.0f;
}

}  // namespace

void activation_forward(Stream stream, Activation a, const float* x, float* y, uint8_t* mask, int64_t n,
                        int64_t image) {
  launch({{blocks_for(image, kThreads), static_cast<unsigned>(n)}, {kThreads}, 0, stream},
         activation_forward_kernel, a, x, y, mask, image);
}
void activation_vjp(Stream stream, Activation a, const float* gy, const uint8_t* mask, float* gx, int64_t n,
                    int64_t image) {
  launch({{blocks_for(image, kThreads), static_cast<unsigned>(n)}, {kThreads}, 0, stream},
         activation_vjp_kernel, a, gy, mask, gx, image);
}

LOUPE_EXPORT(activation_forward);
LOUPE_EXPORT(activation_vjp);

}  // namespace loupe::LOUPE_TARGET
