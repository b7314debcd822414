// Batch statistics on the CPU. Memory bound: a task reads a piece of one image's channel block that stays in
// an L2 cache, finds its mean, and reads it again for its squared differences from that mean; the pieces are
// then put together in double (T. F. Chan, G. H. Golub, R. J. LeVeque, Algorithms for computing the sample
// variance, 1983). So the map comes from memory once, and nothing cancels.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/batch_norm_training/batch_norm_training.cpu.cpp"
#include <algorithm>
#include <cmath>
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/highway.h"
#include "kernels/batch_norm_training/batch_norm_training.h"
#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

constexpr int64_t kLine = 64;  // pixels that are summed before they join the total
constexpr int kSums = 4;       // at a time, to hide the latency of an addition

HWY_INLINE Block subtract(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Sub(a.v[i], b.v[i]);
  return r;
}

// Σ of pixels [0, count), of which term(pixel, sum) adds one to a sum.
template <typename Term>
HWY_INLINE Block sum_pixels(int64_t count, const Term& term) {
  Block total = fill(0.0f);
  for (int64_t begin = 0; begin < count; begin += kLine) {
    const int64_t end = std::min(count, begin + kLine);
    Block line[kSums];
    for (Block& sum : line) sum = fill(0.0f);
    int64_t i = begin;
    for (; i + kSums <= end; i += kSums)
      for (int k = 0; k < kSums; ++k) line[k] = term(i + k, line[k]);
    for (int k = 0; i < end; ++i, ++k) line[k] = term(i, line[k]);
    total = add(total, add(add(line[0], line[1]), add(line[2], line[3])));
  }
  return total;
}

// The mean of `count` pixels and Σ (x − mean)²: 16 floats each, one after the other.
void PieceStatistics(const float* x, int64_t count, float* result) {
  const Block sum =
      sum_pixels(count, [=](int64_t i, const Block& s) { return add(s, load(x + i * kBlock)); });
  const Block mean = mul(sum, fill(1.0f / static_cast<float>(count)));
  const Block squares = sum_pixels(count, [=](int64_t i, const Block& s) {
    const Block d = subtract(load(x + i * kBlock), mean);
    return fma(d, d, s);
  });
  store(mean, result);
  store(squares, result + kBlock);
}

// Σ gy and Σ gy · (x − mean) of `count` pixels: 16 floats each.
void PieceGradients(const float* mean, const float* x, const float* gy, int64_t count, float* result) {
  const Block middle = load(mean);
  Block gradients = fill(0.0f), products = fill(0.0f);
  for (int64_t begin = 0; begin < count; begin += kLine) {
    const int64_t end = std::min(count, begin + kLine);
    Block g[kSums], p[kSums];
    for (int k = 0; k < kSums; ++k) g[k] = p[k] = fill(0.0f);
    const auto add_pixel = [&](int64_t i, int k) {
      const Block v = load(gy + i * kBlock);
      g[k] = add(g[k], v);
      p[k] = fma(v, subtract(load(x + i * kBlock), middle), p[k]);
    };
    int64_t i = begin;
    for (; i + kSums <= end; i += kSums)
      for (int k = 0; k < kSums; ++k) add_pixel(i + k, k);
    for (int k = 0; i < end; ++i, ++k) add_pixel(i, k);
    gradients = add(gradients, add(add(g[0], g[1]), add(g[2], g[3])));
    products = add(products, add(add(p[0], p[1]), add(p[2], p[3])));
  }
  store(gradients, result);
  store(products, result + kBlock);
}

// gx = scale · (gy − constant − (x − mean) · slope)
void PassGradients(const float* scale, const float* constant, const float* slope, const float* mean,
                   const float* x, const float* gy, float* gx, int64_t count) {
  const Block a = load(scale), b = load(constant), c = load(slope), middle = load(mean);
  for (int64_t i = 0; i < count * kBlock; i += kBlock) {
    Block g = subtract(load(gy + i), b);
    const Block d = subtract(load(x + i), middle);
    for (int v = 0; v < kVectors; ++v) g.v[v] = hn::NegMulAdd(d.v[v], c.v[v], g.v[v]);
    store(mul(a, g), gx + i);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(PieceStatistics);
HWY_EXPORT(PieceGradients);
HWY_EXPORT(PassGradients);

namespace {

constexpr int64_t kPiece = 4096;  // pixels at most: 256 KiB

// One image's channel block is cut into `count` pieces of `pixels` (the last may have fewer).
struct Pieces {
  int64_t n, c, map, count, pixels;
  Pieces(int64_t images, int64_t channels, int64_t map_pixels)
      : n(images),
        c(channels),
        map(map_pixels),
        count(ceil_div(map_pixels, kPiece)),
        pixels(ceil_div(map_pixels, count)) {}

  int64_t total() const { return n * blocks(c) * count; }
  int64_t size(int64_t piece) const { return std::min(pixels, map - piece * pixels); }

  // run(channel, first float, pixels, result) for each piece; 32 floats of result.
  template <typename Run>
  void sum(float* results, const Run& run) const {
    parallel_for(total(), [&](int64_t task) {
      const int64_t plane = task / count, piece = task % count;
      run(plane % blocks(c) * kBlock, (plane * map + piece * pixels) * kBlock, size(piece),
          results + task * 2 * kBlock);
    });
  }
  // add(pixels, first, second) for the results of a channel's pieces, always in the same order.
  template <typename Add>
  void of_channel(const float* results, int64_t channel, const Add& add) const {
    for (int64_t b = 0; b < n; ++b)
      for (int64_t piece = 0; piece < count; ++piece) {
        const float* r = results + ((b * blocks(c) + channel / kBlock) * count + piece) * 2 * kBlock;
        add(static_cast<double>(size(piece)), double{r[channel % kBlock]},
            double{r[kBlock + channel % kBlock]});
      }
  }
};

}  // namespace

int64_t batch_norm_scratch(int64_t n, int64_t c, int64_t pixels) {
  return Pieces(n, c, pixels).total() * 2 * kBlock + 3 * blocks(c) * kBlock;
}

void batch_norm_statistics(const float* x, float* mean, float* variance, int64_t n, int64_t c, int64_t pixels,
                           float* scratch) {
  const Pieces pieces(n, c, pixels);
  const auto run = HWY_DYNAMIC_DISPATCH(PieceStatistics);
  pieces.sum(scratch, [&](int64_t, int64_t at, int64_t count, float* result) { run(x + at, count, result); });
  const auto m = static_cast<double>(n * pixels);
  for (int64_t channel = 0; channel < blocks(c) * kBlock; ++channel) {
    double sum = 0, squares = 0;
    pieces.of_channel(scratch, channel, [&](double count, double middle, double) { sum += count * middle; });
    pieces.of_channel(scratch, channel, [&](double count, double middle, double inside) {
      squares += inside + count * (middle - sum / m) * (middle - sum / m);
    });
    mean[channel] = static_cast<float>(sum / m);
    variance[channel] = channel < c ? static_cast<float>(squares / m) : 1.0f;
  }
}

void batch_norm_training_vjp_input(const BatchNormParameters<float>& p, const float* x, const float* gy,
                                   float* gx, int64_t n, int64_t c, int64_t pixels, float* scratch) {
  const Pieces pieces(n, c, pixels);
  const auto run = HWY_DYNAMIC_DISPATCH(PieceGradients);
  pieces.sum(scratch, [&](int64_t channel, int64_t at, int64_t count, float* result) {
    run(p.mean + channel, x + at, gy + at, count, result);
  });
  const auto m = static_cast<double>(n * pixels);
  const int64_t channels = blocks(c) * kBlock;
  float *scale = scratch + pieces.total() * 2 * kBlock, *constant = scale + channels,
        *slope = constant + channels;
  for (int64_t channel = 0; channel < channels; ++channel) {
    double g_bias = 0, products = 0;
    pieces.of_channel(scratch, channel, [&](double, double gradient, double product) {
      g_bias += gradient;
      products += product;
    });
    const double square = double{p.variance[channel]} + p.eps;
    scale[channel] = static_cast<float>(p.weight[channel] / std::sqrt(square));
    constant[channel] = static_cast<float>(g_bias / m);
    slope[channel] = static_cast<float>(products / (m * square));
  }
  const auto pass = HWY_DYNAMIC_DISPATCH(PassGradients);
  parallel_for(pieces.total(), [&](int64_t task) {
    const int64_t plane = task / pieces.count, piece = task % pieces.count,
                  channel = plane % blocks(c) * kBlock,
                  at = (plane * pixels + piece * pieces.pixels) * kBlock;
    pass(scale + channel, constant + channel, slope + channel, p.mean + channel, x + at, gy + at, gx + at,
         pieces.size(piece));
  });
}

}  // namespace loupe::cpu
#endif
