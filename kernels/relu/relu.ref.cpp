#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/relu/relu.h"

namespace loupe::ref {

template <typename T>
void activation_forward(Activation a, const T* x, T* y, uint8_t* mask, int64_t n, int64_t image) {
  using Kind = Activation::Kind;
  const int64_t mask_image = ceil_div(image, 8);
  parallel_for(n, [=](int64_t b) {
    uint8_t* bits = mask ? mask + b * mask_image : nullptr;
    if (bits) std::memset(bits, 0, static_cast<size_t>(mask_image));
    for (int64_t i = 0; i < image; ++i) {
      const T v = x[b * image + i];
      T out = v;
      bool passes = true;  // comparisons are written so that a NaN passes
      switch (a.kind) {
        case Kind::none:
          break;
        case Kind::relu:
          passes = !(v <= 0);
          out = passes ? v : T(0);
          break;
        case Kind::relu6:
          passes = !(v <= 0 || v >= 6);
          out = v <= 0 ? T(0) : v >= 6 ? T(6) : v;
          break;
        case Kind::leaky_relu:
          passes = v > 0;
          out = passes ? v : v * T(a.slope);
          break;
      }
      y[b * image + i] = out;
      if (bits && passes) bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | (1u << (i % 8)));
    }
  });
}

template <typename T>
void activation_vjp(Activation a, const T* gy, const uint8_t* mask, T* gx, int64_t n, int64_t image) {
  const int64_t mask_image = ceil_div(image, 8);
  parallel_for(n, [=](int64_t b) {
    const uint8_t* bits = mask + b * mask_image;
    for (int64_t i = 0; i < image; ++i) {
      const T g = gy[b * image + i];
      const bool passes = (bits[i / 8] >> (i % 8)) & 1;
      gx[b * image + i] = passes ? g : a.kind == Activation::Kind::leaky_relu ? g * T(a.slope) : T(0);
    }
  });
}

void channels_on(const uint8_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels) {
  const int64_t mask_image = ceil_div(c * pixels, 8);
  for (int64_t k = 0; k < c; ++k) {
    on[k] = 0;
    for (int64_t b = 0; b < n; ++b)
      for (int64_t i = k * pixels; i < (k + 1) * pixels; ++i)
        if ((mask[b * mask_image + i / 8] >> (i % 8)) & 1) on[k] = 1;
  }
}

template void activation_forward(Activation, const float*, float*, uint8_t*, int64_t, int64_t);
template void activation_forward(Activation, const double*, double*, uint8_t*, int64_t, int64_t);
template void activation_vjp(Activation, const float*, const uint8_t*, float*, int64_t, int64_t);
template void activation_vjp(Activation, const double*, const uint8_t*, double*, int64_t, int64_t);

}  // namespace loupe::ref
