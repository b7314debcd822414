// Maps at another size on the CPU, a pixel's 16 channels at a time. Forward a task is a row of the output;
// the vjp's tasks are blocks of channels, each of which adds the output's pixels, in their order, to what
// they were made of.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/upsample/upsample.cpu.cpp"
#include <algorithm>
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"
#include "kernels/upsample/upsample.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

struct Weights {
  float low, high;
  explicit Weights(const UpsampleAxis::Source& s)
      : low(static_cast<float>(1 - s.weight)), high(static_cast<float>(s.weight)) {}
};

HWY_INLINE Block mix(const float* low, const float* high, const Weights& w) {
  return fma(load(high), fill(w.high), mul(load(low), fill(w.low)));
}

// Row `h` of an output plane.
void UpsampleRow(const UpsampleAxes& a, const float* x, float* y, int64_t h) {
  const UpsampleAxis::Source r = a.rows.source(h);
  const float *low = x + r.low * a.columns.in * kBlock, *high = x + r.high * a.columns.in * kBlock;
  const Weights down(r);
  for (int64_t w = 0; w < a.columns.out; ++w) {
    const UpsampleAxis::Source c = a.columns.source(w);
    const int64_t left = c.low * kBlock, right = c.high * kBlock;
    float* to = y + w * kBlock;
    if (a.rows.nearest) {
      store(load(low + left), to);
      continue;
    }
    const Weights across(c);
    const Block top = mix(low + left, low + right, across), bottom = mix(high + left, high + right, across);
    store(fma(bottom, fill(down.high), mul(top, fill(down.low))), to);
  }
}

HWY_INLINE void add_part(const Block& g, float weight, float* to) {
  store(fma(g, fill(weight), load(to)), to);
}

// A plane.
void UpsampleVjpPlane(const UpsampleAxes& a, const float* gy, float* gx) {
  std::fill(gx, gx + a.rows.in * a.columns.in * kBlock, 0.0f);
  for (int64_t h = 0; h < a.rows.out; ++h) {
    const UpsampleAxis::Source r = a.rows.source(h);
    const Weights down(r);
    float *low = gx + r.low * a.columns.in * kBlock, *high = gx + r.high * a.columns.in * kBlock;
    for (int64_t w = 0; w < a.columns.out; ++w) {
      const UpsampleAxis::Source c = a.columns.source(w);
      const int64_t left = c.low * kBlock, right = c.high * kBlock;
      const Block g = load(gy + (h * a.columns.out + w) * kBlock);
      if (a.rows.nearest) {
        store(add(load(low + left), g), low + left);
        continue;
      }
      const Weights across(c);
      add_part(g, down.low * across.low, low + left);
      add_part(g, down.low * across.high, low + right);
      add_part(g, down.high * across.low, high + left);
      add_part(g, down.high * across.high, high + right);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(UpsampleRow);
HWY_EXPORT(UpsampleVjpPlane);

void upsample(const UpsampleAxes& a, const float* x, float* y, int64_t planes) {
  const auto run = HWY_DYNAMIC_DISPATCH(UpsampleRow);
  const int64_t from = a.rows.in * a.columns.in * kBlock, row = a.columns.out * kBlock;
  parallel_for(planes * a.rows.out,
               [=, &a](int64_t i) { run(a, x + i / a.rows.out * from, y + i * row, i % a.rows.out); });
}

void upsample_vjp(const UpsampleAxes& a, const float* gy, float* gx, int64_t planes) {
  const auto run = HWY_DYNAMIC_DISPATCH(UpsampleVjpPlane);
  const int64_t to = a.rows.in * a.columns.in * kBlock, from = a.rows.out * a.columns.out * kBlock;
  parallel_for(planes, [=, &a](int64_t p) { run(a, gy + p * from, gx + p * to); });
}

}  // namespace loupe::cpu
#endif
