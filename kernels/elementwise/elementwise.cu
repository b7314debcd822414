// Elementwise functions and epilogues on a GPU. A thread takes 16 bytes where every image is whole vectors,
// and two lanes make a byte of bits; else it takes one element, and a warp's ballot makes 32 bits at once.
//
// Floor: the relu family reads 4 bytes an element and writes 4⅛ forward, its vjp reads 4⅛ and writes 4;
// functions that keep a number write, and read, 4 bytes more.
#include "kernels/elementwise/elementwise.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"
#include "kernels/elementwise/epilogue.h"

namespace loupe::LOUPE_TARGET {

namespace {

// Width elements a thread. They are whole vectors if all images are, or if there is one: then the last vector
// may be cut short. An image's bits start at a byte of their own; 8/Width lanes make a byte.
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

// y = f(x), and what f keeps: bits are returned, numbers stored.
template <typename F, int Width>
LOUPE_DEVICE uint32_t function_forward(const Epilogue& e, Vector<float, Width>& v, float* numbers,
                                       int64_t left) {
  const Parameters<float> p = parameters_of(e);
  uint32_t bits = 0;
  Vector<float, Width> kept = v;
  for (int k = 0; k < Width; ++k) {
    if constexpr (F::keeps == Keeps::bit)
      if (k < left && F::passes(v[k], p)) bits |= 1u << k;
    v[k] = F::value(v[k], p);
    if constexpr (F::keeps == Keeps::output) kept[k] = v[k];
  }
  if constexpr (F::keeps != Keeps::bit)
    if (numbers) store_part(numbers, left, kept);
  return bits;
}

// The signal, from what f kept.
template <typename F, int Width>
LOUPE_DEVICE void function_vjp(const Epilogue& e, Vector<float, Width>& g, const EpilogueArrays& a, int64_t b,
                               int64_t i, int64_t left) {
  const Parameters<float> p = parameters_of(e);
  if constexpr (F::keeps == Keeps::bit) {
    const uint32_t bits = a.bits(b, i);
    for (int k = 0; k < Width; ++k) g[k] = F::vjp(g[k], (bits >> k & 1) != 0, p);
  } else {
    const auto kept = load_part<Width>(&a.number(b, i), left);
    for (int k = 0; k < Width; ++k) g[k] = F::vjp(g[k], kept[k], p);
  }
}

template <int Width>
LOUPE_KERNEL finish_kernel(Cells vectors, Epilogue e, const float* from, EpilogueArrays a, float* to) {
  int64_t b;
  int vector;
  const bool found = vectors.find(b, vector);
  const int64_t i = int64_t{vector} * Width, left = found ? a.image - i : 0;  // elements from here on
  uint32_t bits = 0;
  if (left > 0) {
    auto v = load_part<Width>(from + b * a.image + i, left);
    if (e.residual) {
      const auto other = load_part<Width>(a.residual + b * a.image + i, left);
      for (int k = 0; k < Width; ++k) v[k] += other[k];
    }
    if (rectifies(e))
      for (int k = 0; k < Width; ++k) v[k] = rectify(v[k]);
    if (e.row != Epilogue::Row::deconvnet)
      visit_function(e.function, [&](auto f) {
        using F = decltype(f);
        if (e.row == Epilogue::Row::none)
          bits = function_forward<F, Width>(e, v, a.record ? &a.number(b, i) : nullptr, left);
        else
          function_vjp<F, Width>(e, v, a, b, i, left);
      });
    store_part(to + b * a.image + i, left, v);
  }
  if (!writes_bits(e, a.record)) return;
  if constexpr (Width == 4)
    bits |= shuffle_xor(bits, 1) << 4;
  else
    bits = ballot(bits != 0) >> (lane_id() & ~7);
  if (left > 0 && i % 8 == 0)
    static_cast<uint8_t*>(a.record)[b * ((a.image + 7) / 8) + i / 8] = static_cast<uint8_t>(bits);
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

}  // namespace

void finish(Stream stream, Epilogue e, const float* from, const float* residual, float* to, void* record,
            int64_t n, int64_t image) {
  if (!keeps_bits(e.function) && n * image < int64_t{1} << 30) {  // then images do not matter
    image *= n;
    n = 1;
  }
  const bool whole_vectors = n == 1 || image % 4 == 0;
  // So many threads for each image that its bits' bytes are complete.
  const Cells vectors(n, (image + 7) / 8 * (whole_vectors ? 2 : 8));
  launch(vectors.launch_in(stream), whole_vectors ? finish_kernel<4> : finish_kernel<1>, vectors, e, from,
         EpilogueArrays{residual, record, image}, to);
}

void channels_on(Stream stream, const uint8_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels) {
  launch({{blocks_for(c, 1)}, {kWarps * kWarp}, 0, stream}, channels_on_kernel, mask, on, n,
         (c * pixels + 7) / 8, pixels);
}

LOUPE_EXPORT(finish);
LOUPE_EXPORT(channels_on);

}  // namespace loupe::LOUPE_TARGET
