// The relu family on a GPU. A thread takes 16 bytes where every image is whole vectors, and two lanes make a
// byte of the mask; else it takes one element, and a warp's ballot makes 32 bits at once.
//
// Floor: forward reads 4 bytes an element and writes 4⅛, the vjp reads 4⅛ and writes 4.
#include "kernels/relu/relu.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"
#include "kernels/relu/activate.h"

namespace loupe::LOUPE_TARGET {

namespace {

// Width elements a thread. They are whole vectors if all images are, or if there is one: then the last vector
// may be cut short. An image's mask starts at a byte of its own; 8/Width lanes make a byte.
template <int Width>
LOUPE_DEVICE Vector<float, Width> load_part(const float* x, int64_t left) {
  if (left >= Width) return load_vector<Width>(x);
  Vector<float, Width> v{};
  for (int k = 0; k < Width; ++k)
    if (k < left) v[k] = x[k];
  return v;
}
template <int Width>
LOUPE_DEVICE void store_part(float* y, int64_t left, const Vector<float, Width>& v) {
  if (left >= Width) return store_vector(y, v);
  for (int k = 0; k < Width; ++k)
    if (k < left) y[k] = v[k];
}

template <int Width>
LOUPE_KERNEL activation_forward_kernel(Cells vectors, Activation a, const float* x, float* y, uint8_t* mask,
                                       int64_t image) {
  int64_t b;
  int vector;
  const bool found = vectors.find(b, vector);
  const int64_t i = int64_t{vector} * Width, left = found ? image - i : 0;  // elements from here on
  uint32_t bits = 0;
  if (left > 0) {
    auto v = load_part<Width>(x + b * image + i, left);
    for (int k = 0; k < Width; ++k) {
      if (k < left && passes(a, v[k])) bits |= 1u << k;
      v[k] = activate(a, v[k]);
    }
    store_part(y + b * image + i, left, v);
  }
  if (!mask) return;
  if constexpr (Width == 4)
    bits |= shuffle_xor(bits, 1) << 4;
  else
    bits = ballot(bits != 0) >> (lane_id() & ~7);
  if (left > 0 && i % 8 == 0) mask[b * ((image + 7) / 8) + i / 8] = static_cast<uint8_t>(bits);
}

template <int Width>
LOUPE_KERNEL activation_vjp_kernel(Cells vectors, Activation a, const float* gy, const uint8_t* mask,
                                   float* gx, int64_t image) {
  int64_t b;
  int vector;
  if (!vectors.find(b, vector)) return;
  const int64_t i = int64_t{vector} * Width, left = image - i;
  if (left <= 0) return;
  const uint32_t bits = static_cast<uint32_t>(mask[b * ((image + 7) / 8) + i / 8]) >> (i % 8);
  auto g = load_part<Width>(gy + b * image + i, left);
  for (int k = 0; k < Width; ++k)
    if (!(bits >> k & 1)) g[k] = a.kind == Activation::Kind::leaky_relu ? g[k] * a.slope : 0.0f;
  store_part(gx + b * image + i, left, g);
}

// A block takes a channel, a warp every eighth image of it, and a lane every 32nd byte of its bits, which
// begin and end anywhere within a byte.
constexpr int kWarps = 8;
LOUPE_KERNEL channels_on_kernel(const uint8_t* mask, uint8_t* on, int64_t n, int64_t mask_image,
                                int64_t pixels) {
  struct Found {
    bool by_warp[kWarps];
  };
  auto& found = shared_storage<Found>().by_warp;
  const int64_t begin = blockIdx.x * pixels, end = begin + pixels, last = (end - 1) / 8;  // bits; a byte
  uint32_t bits = 0;
  for (int64_t b = warp_id(); b < n; b += kWarps)
    for (int64_t i = begin / 8 + lane_id(); i <= last; i += kWarp) {
      uint32_t byte = mask[b * mask_image + i];
      if (i == begin / 8) byte &= 0xffu << begin % 8;
      if (i == last) byte &= 0xffu >> (7 - (end - 1) % 8);
      bits |= byte;
    }
  const bool mine = any(bits != 0);
  if (lane_id() == 0) found[warp_id()] = mine;
  sync_threads();
  if (threadIdx.x != 0) return;
  bool somewhere = false;
  for (int i = 0; i < kWarps; ++i) somewhere = somewhere || found[i];
  on[blockIdx.x] = somewhere;
}

bool whole_vectors(int64_t n, int64_t image) { return n == 1 || image % 4 == 0; }

// Threads of Width elements, so many for each image that its mask's bytes are complete.
Cells threads_for(int64_t n, int64_t image) {
  return Cells(n, (image + 7) / 8 * (whole_vectors(n, image) ? 2 : 8));
}

}  // namespace

void activation_forward(Stream stream, Activation a, const float* x, float* y, uint8_t* mask, int64_t n,
                        int64_t image) {
  const Cells vectors = threads_for(n, image);
  launch(vectors.launch_in(stream),
         whole_vectors(n, image) ? activation_forward_kernel<4> : activation_forward_kernel<1>, vectors, a, x,
         y, mask, image);
}
void activation_vjp(Stream stream, Activation a, const float* gy, const uint8_t* mask, float* gx, int64_t n,
                    int64_t image) {
  const Cells vectors = threads_for(n, image);
  launch(vectors.launch_in(stream),
         whole_vectors(n, image) ? activation_vjp_kernel<4> : activation_vjp_kernel<1>, vectors, a, gy, mask,
         gx, image);
}

void channels_on(Stream stream, const uint8_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels) {
  launch({{blocks_for(c, 1)}, {kWarps * kWarp}, 0, stream}, channels_on_kernel, mask, on, n,
         (c * pixels + 7) / 8, pixels);
}

LOUPE_EXPORT(activation_forward);
LOUPE_EXPORT(activation_vjp);
LOUPE_EXPORT(channels_on);

}  // namespace loupe::LOUPE_TARGET
