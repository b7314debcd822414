// Batch normalisation on the CPU. Memory bound; each task finds its 16 channels' scale anew, which costs next
// to nothing. The parameter gradients add up a line of pixels at a time, then the lines, so that long sums
// lose less.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/batch_norm/batch_norm.cpu.cpp"
#include <algorithm>
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/highway.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

constexpr int64_t kLine = 64;  // pixels whose gradients are summed before they join the total

HWY_INLINE Block subtract(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Sub(a.v[i], b.v[i]);
  return r;
}

// a / √(variance + eps) of the channels from `channel` on.
HWY_INLINE Block over_deviation(const Block& a, const BatchNormParameters<float>& p, int64_t channel) {
  const Block variance = add(load(p.variance + channel), fill(static_cast<float>(p.eps)));
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Div(a.v[i], hn::Sqrt(variance.v[i]));
  return r;
}

// `count` pixels of the channel block that begins at `channel`.
void Normalise(const BatchNormParameters<float>& p, int64_t channel, const float* x, float* y,
               int64_t count) {
  const Block mean = load(p.mean + channel), bias = load(p.bias + channel);
  const Block scale = over_deviation(load(p.weight + channel), p, channel);
  for (int64_t i = 0; i < count * kBlock; i += kBlock)
    store(fma(subtract(load(x + i), mean), scale, bias), y + i);
}

void Scale(const BatchNormParameters<float>& p, int64_t channel, const float* gy, float* gx, int64_t count) {
  const Block scale = over_deviation(load(p.weight + channel), p, channel);
  for (int64_t i = 0; i < count * kBlock; i += kBlock) store(mul(load(gy + i), scale), gx + i);
}

// Sums of gy·(x − mean) over the n images of a channel block, or of gy alone where x is null; `image` floats
// lie between one image and the next. result: 16 floats.
void SumGradients(const BatchNormParameters<float>& p, int64_t channel, const float* x, const float* gy,
                  float* result, int64_t n, int64_t image, int64_t pixels) {
  const Block mean = x ? load(p.mean + channel) : fill(0.0f);
  Block total = fill(0.0f);
  for (int64_t b = 0; b < n; ++b)
    for (int64_t begin = 0; begin < pixels; begin += kLine) {
      Block line = fill(0.0f);
      for (int64_t i = begin; i < std::min(pixels, begin + kLine); ++i) {
        const int64_t at = b * image + i * kBlock;
        const Block g = load(gy + at);
        line = x ? fma(g, subtract(load(x + at), mean), line) : add(line, g);
      }
      total = add(total, line);
    }
  store(x ? over_deviation(total, p, channel) : total, result);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(Normalise);
HWY_EXPORT(Scale);
HWY_EXPORT(SumGradients);

namespace {

constexpr int64_t kChunk = 1024;  // pixels a task

template <typename Run>
void for_each_chunk(const BatchNormParameters<float>& p, Run run, const float* from, float* to, int64_t n,
                    int64_t c, int64_t pixels) {
  const int64_t chunks = ceil_div(pixels, kChunk);
  parallel_for(n * blocks(c) * chunks, [&](int64_t task) {
    const int64_t plane = task / chunks, begin = task % chunks * kChunk,
                  at = (plane * pixels + begin) * kBlock;
    run(p, plane % blocks(c) * kBlock, from + at, to + at, std::min(kChunk, pixels - begin));
  });
}

void sum_gradients(const BatchNormParameters<float>& p, const float* x, const float* gy, float* result,
                   int64_t n, int64_t c, int64_t pixels) {
  const auto run = HWY_DYNAMIC_DISPATCH(SumGradients);
  parallel_for(blocks(c), [&](int64_t block) {
    const int64_t at = block * pixels * kBlock, channel = block * kBlock;
    float sums[kBlock];
    run(p, channel, x ? x + at : nullptr, gy + at, sums, n, blocks(c) * pixels * kBlock, pixels);
    std::copy(sums, sums + std::min(kBlock, c - channel), result + channel);
  });
}

}  // namespace

void batch_norm(const BatchNormParameters<float>& p, const float* x, float* y, int64_t n, int64_t c,
                int64_t pixels) {
  for_each_chunk(p, HWY_DYNAMIC_DISPATCH(Normalise), x, y, n, c, pixels);
}

void batch_norm_vjp_input(const BatchNormParameters<float>& p, const float* gy, float* gx, int64_t n,
                          int64_t c, int64_t pixels) {
  for_each_chunk(p, HWY_DYNAMIC_DISPATCH(Scale), gy, gx, n, c, pixels);
}

void batch_norm_vjp_weight(const BatchNormParameters<float>& p, const float* x, const float* gy,
                           float* g_weight, int64_t n, int64_t c, int64_t pixels) {
  sum_gradients(p, x, gy, g_weight, n, c, pixels);
}

void batch_norm_vjp_bias(const float* gy, float* g_bias, int64_t n, int64_t c, int64_t pixels) {
  sum_gradients({}, nullptr, gy, g_bias, n, c, pixels);
}

}  // namespace loupe::cpu
#endif
