// Padding on a GPU: a thread an element of the result, which finds what it repeats, or (the vjp) what repeats
// it.
//
// Floor: 4 bytes read and 4 written an element.
#include "kernels/pad/pad.h"

#include "kernels/device/export.h"
#include "kernels/device/launch.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kThreads = 256;

LOUPE_KERNEL pad_kernel(PadAxes p, int64_t count, const float* x, float* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  int64_t rest = i, from = 0, stride = 1;
  for (int d = p.rank - 1; d >= 0; --d) {
    const int64_t padded = p.axis[d].padded(), above = rest / padded;
    from += p.axis[d].source(rest - above * padded) * stride;
    rest = above;
    stride *= p.axis[d].size;
  }
  y[i] = x[from];
}

LOUPE_KERNEL pad_vjp_kernel(PadAxes p, int64_t count, const float* gy, float* gx) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  int64_t rest = i, images = 1;
  for (int d = p.rank - 1; d >= 0; --d) {
    images *= p.axis[d].images(rest % p.axis[d].size);
    rest /= p.axis[d].size;
  }
  float sum = 0;
  for (int64_t k = 0; k < images; ++k) {
    int64_t from = 0, stride = 1, which = k;
    rest = i;
    for (int d = p.rank - 1; d >= 0; --d) {
      const int64_t at = rest % p.axis[d].size, own = p.axis[d].images(at);
      from += p.axis[d].image(at, which % own) * stride;
      rest /= p.axis[d].size;
      which /= own;
      stride *= p.axis[d].padded();
    }
    sum += gy[from];
  }
  gx[i] = sum;
}

// Elements of y, or of x.
int64_t elements(const PadAxes& p, bool padded) {
  int64_t n = 1;
  for (int d = 0; d < p.rank; ++d) n *= padded ? p.axis[d].padded() : p.axis[d].size;
  return n;
}

}  // namespace

void pad(Stream stream, const PadAxes& p, const float* x, float* y) {
  const int64_t count = elements(p, true);
  launch({{blocks_for(count, kThreads)}, {kThreads}, 0, stream}, pad_kernel, p, count, x, y);
}

void pad_vjp(Stream stream, const PadAxes& p, const float* gy, float* gx) {
  const int64_t count = elements(p, false);
  launch({{blocks_for(count, kThreads)}, {kThreads}, 0, stream}, pad_vjp_kernel, p, count, gy, gx);
}

LOUPE_EXPORT(pad);
LOUPE_EXPORT(pad_vjp);

}  // namespace loupe::LOUPE_TARGET
