// Layer normalisation over the channels of blocked maps, on the CPU: a task takes eight neighbouring pixels
// through all their channel blocks, three times.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/layer_norm/channel_norm.cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/highway.h"
#include "kernels/common/parallel.h"
#include "kernels/layer_norm/norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

constexpr int64_t kPixels = 8;  // of a task
constexpr int64_t kLine = 64;   // pixels whose gradients are summed before they join the total

// Neighbouring pixels of an image.
struct Pixels {
  const Norm& n;
  int64_t image, first, count;
  Pixels(const Norm& norm, int64_t task)
      : n(norm),
        image(task / tasks(norm)),
        first(task % tasks(norm) * kPixels),
        count(std::min(kPixels, n.inner - first)) {}
  static int64_t tasks(const Norm& n) { return ceil_div(n.inner, kPixels); }  // of an image

  int64_t group(int64_t pixel) const { return image * n.inner + first + pixel; }

  /// Calls body(at, lanes, block, pixel) for every block of 16 channels and every pixel: its place in the
  /// array, and how many of its lanes are channels.
  template <typename Body>
  HWY_INLINE void for_cells(const Body& body) const {
    for (int64_t block = 0; block < blocks(n.length); ++block) {
      const int64_t lanes = std::min(kBlock, n.length - block * kBlock);
      for (int64_t p = 0; p < count; ++p)
        body(((image * blocks(n.length) + block) * n.inner + first + p) * kBlock, lanes, block, p);
    }
  }
  /// sums[pixel] = Σ term over its channels.
  template <typename Term>
  HWY_INLINE void sum(float* sums, const Term& term) const {
    Block sum[kPixels];
    for (Block& s : sum) s = fill(0.0f);
    for_cells([&](int64_t at, int64_t lanes, int64_t block, int64_t p) {
      sum[p] = add(sum[p], only(term(at, lanes, block, p), lanes));
    });
    for (int64_t p = 0; p < count; ++p) sums[p] = total(sum[p]);
  }
};

// Weights of a block of channels, 1 (or 0, of a bias) where there are none.
HWY_INLINE Block weights(const float* weight, int64_t block, int64_t lanes, float otherwise) {
  return weight ? load_part(weight + block * kBlock, lanes) : fill(otherwise);
}

void ChannelNorm(const Norm& n, const float* x, const float* weight, const float* bias, float* y,
                 float* record) {
  parallel_for(n.outer * Pixels::tasks(n), [=](int64_t task) {
    const Pixels pixels(n, task);
    const auto count = static_cast<float>(n.length);
    float sums[kPixels], squares[kPixels];
    Statistics s[kPixels];
    pixels.sum(sums, [=](int64_t at, int64_t, int64_t, int64_t) { return load(x + at); });
    for (int64_t p = 0; p < pixels.count; ++p) s[p].mean = sums[p] / count;
    pixels.sum(squares, [&](int64_t at, int64_t, int64_t, int64_t p) {
      const Block d = subtract(load(x + at), fill(s[p].mean));
      return mul(d, d);
    });
    for (int64_t p = 0; p < pixels.count; ++p) {
      s[p].r = one_over_deviation(n, squares[p]);
      s[p].write(n, record, pixels.group(p));
    }
    pixels.for_cells([&](int64_t at, int64_t lanes, int64_t block, int64_t p) {
      const Block w = weights(weight, block, lanes, 1), b = weights(bias, block, lanes, 0);
      store(only(fma(s[p].normalise(load(x + at)), w, b), lanes), y + at);
    });
  });
}

void ChannelNormVjpInput(const Norm& n, const float* x, const float* weight, const float* record,
                         const float* gy, float* gx) {
  parallel_for(n.outer * Pixels::tasks(n), [=](int64_t task) {
    const Pixels pixels(n, task);
    const auto count = static_cast<float>(n.length);
    Statistics s[kPixels];
    for (int64_t p = 0; p < pixels.count; ++p) s[p] = Statistics::read(n, record, pixels.group(p));
    const auto h = [=](int64_t at, int64_t lanes, int64_t block) {
      return mul(load(gy + at), weights(weight, block, lanes, 1));
    };
    float sums[kPixels], products[kPixels];
    pixels.sum(sums, [&](int64_t at, int64_t lanes, int64_t block, int64_t) { return h(at, lanes, block); });
    pixels.sum(products, [&](int64_t at, int64_t lanes, int64_t block, int64_t p) {
      return mul(h(at, lanes, block), s[p].normalise(load(x + at)));
    });
    pixels.for_cells([&](int64_t at, int64_t lanes, int64_t block, int64_t p) {
      const Block down = fma(s[p].normalise(load(x + at)), fill(products[p] / count), fill(sums[p] / count));
      store(only(mul(fill(s[p].r), subtract(h(at, lanes, block), down)), lanes), gx + at);
    });
  });
}

// Σ term(at, group) over all pixels, for each block of channels.
template <typename Term>
void sum_channels(const Norm& n, float* g, const Term& term) {
  parallel_for(blocks(n.length), [=](int64_t block) {
    Block sum = fill(0.0f);
    for (int64_t image = 0; image < n.outer; ++image)
      for (int64_t begin = 0; begin < n.inner; begin += kLine) {
        Block line = fill(0.0f);
        for (int64_t p = begin; p < std::min(n.inner, begin + kLine); ++p)
          line = add(line,
                     term(((image * blocks(n.length) + block) * n.inner + p) * kBlock, image * n.inner + p));
        sum = add(sum, line);
      }
    store_part(sum, g + block * kBlock, std::min(kBlock, n.length - block * kBlock));
  });
}

void ChannelNormVjpWeight(const Norm& n, const float* x, const float* record, const float* gy,
                          float* gweight) {
  sum_channels(n, gweight, [=](int64_t at, int64_t group) {
    return mul(load(gy + at), Statistics::read(n, record, group).normalise(load(x + at)));
  });
}

void ChannelNormVjpBias(const Norm& n, const float* gy, float* gbias) {
  sum_channels(n, gbias, [=](int64_t at, int64_t) { return load(gy + at); });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe {
HWY_EXPORT(ChannelNorm);
HWY_EXPORT(ChannelNormVjpInput);
HWY_EXPORT(ChannelNormVjpWeight);
HWY_EXPORT(ChannelNormVjpBias);

namespace cpu {

void channel_norm(const Norm& n, const float* x, const float* weight, const float* bias, float* y,
                  float* record) {
  HWY_DYNAMIC_DISPATCH(ChannelNorm)(n, x, weight, bias, y, record);
}
void channel_norm_vjp_input(const Norm& n, const float* x, const float* weight, const float* record,
                            const float* gy, float* gx) {
  HWY_DYNAMIC_DISPATCH(ChannelNormVjpInput)(n, x, weight, record, gy, gx);
}
void channel_norm_vjp_weight(const Norm& n, const float* x, const float* record, const float* gy,
                             float* gweight) {
  HWY_DYNAMIC_DISPATCH(ChannelNormVjpWeight)(n, x, record, gy, gweight);
}
void channel_norm_vjp_bias(const Norm& n, const float* gy, float* gbias) {
  HWY_DYNAMIC_DISPATCH(ChannelNormVjpBias)(n, gy, gbias);
}

}  // namespace cpu
}  // namespace loupe
#endif
