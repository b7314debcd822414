// softmax of planar arrays on the CPU: a task is one row of scores, or 16 neighbouring pixels through all
// their scores. The exponential and the logarithm are the elementwise functions'
// (elementwise/approximations.inc), 16 at once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax/softmax_planar.cpu.cpp"
#include <limits>
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/highway.h"
#include "kernels/common/parallel.h"
#include "kernels/common/row-inl.h"
#include "kernels/elementwise/numbers-inl.h"
#include "kernels/softmax/softmax.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

HWY_INLINE Block exponential(const Block& x) {
  Block y;
  for (int i = 0; i < kVectors; ++i) y.v[i] = numbers::exp(numbers::Number(x.v[i])).v;
  return y;
}
HWY_INLINE Block logarithm(const Block& x) {
  Block y;
  for (int i = 0; i < kVectors; ++i) y.v[i] = numbers::log(numbers::Number(x.v[i])).v;
  return y;
}
HWY_INLINE Block divide(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Div(a.v[i], b.v[i]);
  return r;
}
/// The larger one. Which of the two a NaN leaves does not matter: the exponential of a NaN is in every sum.
HWY_INLINE Block larger(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Max(a.v[i], b.v[i]);
  return r;
}

// Scores in one piece: lanes are neighbours along the axis.
void softmax_row(bool log, const float* x, float* y, int64_t c) {
  Block greatest = fill(kMinusInfinity);
  for_blocks(c, [&](int64_t i, int64_t count) {
    const Block v = load_part(x + i, count);
    greatest = larger(greatest, count == kBlock ? v : select(first_lanes(count), v, fill(kMinusInfinity)));
  });
  HWY_ALIGN float lanes[kBlock];
  store(greatest, lanes);
  const Block max = fill(*std::max_element(lanes, lanes + kBlock));
  const Block sum = fill(sum_of(c, [=](int64_t i, int64_t count) {
    const Block e = exponential(subtract(load_part(x + i, count), max));
    if (!log) store_part(e, y + i, count);
    return only(e, count);
  }));
  const Block log_sum = log ? logarithm(sum) : sum;
  for_blocks(c, [=](int64_t i, int64_t count) {
    const Block v = log ? subtract(subtract(load_part(x + i, count), max), log_sum)
                        : divide(load_part(y + i, count), sum);
    store_part(v, y + i, count);
  });
}

// Up to 16 neighbouring pixels, `pixels` floats from score to score: lanes are pixels.
void softmax_pixels(bool log, const float* x, float* y, int64_t c, int64_t pixels, int64_t count) {
  const auto at = [=](const float* p, int64_t k) { return load_part(p + k * pixels, count); };
  Block max = at(x, 0), sum = fill(0.0f);
  for (int64_t k = 1; k < c; ++k) max = larger(max, at(x, k));
  for (int64_t k = 0; k < c; ++k) {
    const Block e = exponential(subtract(at(x, k), max));
    if (!log) store_part(e, y + k * pixels, count);
    sum = add(sum, e);
  }
  const Block log_sum = log ? logarithm(sum) : sum;
  for (int64_t k = 0; k < c; ++k)
    store_part(log ? subtract(subtract(at(x, k), max), log_sum) : divide(at(y, k), sum), y + k * pixels,
               count);
}

// Of the signal g at scores whose softmax (or its logarithm) is y: what goes into the sum, and what comes
// out.
HWY_INLINE Block vjp_term(bool log, const Block& y, const Block& g) { return log ? g : mul(g, y); }
HWY_INLINE Block vjp_result(bool log, const Block& y, const Block& g, const Block& sum) {
  return log ? subtract(g, mul(exponential(y), sum)) : mul(y, subtract(g, sum));
}

void softmax_row_vjp(bool log, const float* y, const float* gy, float* gx, int64_t c) {
  const Block sum = fill(sum_of(c, [=](int64_t i, int64_t count) {
    return vjp_term(log, load_part(y + i, count), load_part(gy + i, count));  // zeros past the end
  }));
  for_blocks(c, [=](int64_t i, int64_t count) {
    store_part(vjp_result(log, load_part(y + i, count), load_part(gy + i, count), sum), gx + i, count);
  });
}

void softmax_pixels_vjp(bool log, const float* y, const float* gy, float* gx, int64_t c, int64_t pixels,
                        int64_t count) {
  const auto at = [=](const float* p, int64_t k) { return load_part(p + k * pixels, count); };
  Block sum = fill(0.0f);
  for (int64_t k = 0; k < c; ++k) sum = add(sum, vjp_term(log, at(y, k), at(gy, k)));
  for (int64_t k = 0; k < c; ++k)
    store_part(vjp_result(log, at(y, k), at(gy, k), sum), gx + k * pixels, count);
}

// body(start, count) for every group of up to 16 pixels.
template <typename Body>
void for_pixels(const SoftmaxSizes& s, const Body& body) {
  parallel_for(s.n * blocks(s.pixels), [=](int64_t i) {
    const int64_t first = i % blocks(s.pixels) * kBlock;
    body(i / blocks(s.pixels) * s.c * s.pixels + first, std::min(kBlock, s.pixels - first));
  });
}

void SoftmaxPlanar(bool log, const float* x, float* y, const SoftmaxSizes& s) {
  if (s.pixels == 1)
    return parallel_for(s.n, [=](int64_t row) { softmax_row(log, x + row * s.c, y + row * s.c, s.c); });
  for_pixels(s, [=](int64_t start, int64_t count) {
    softmax_pixels(log, x + start, y + start, s.c, s.pixels, count);
  });
}

void SoftmaxPlanarVjp(bool log, const float* y, const float* gy, float* gx, const SoftmaxSizes& s) {
  if (s.pixels == 1)
    return parallel_for(
        s.n, [=](int64_t row) { softmax_row_vjp(log, y + row * s.c, gy + row * s.c, gx + row * s.c, s.c); });
  for_pixels(s, [=](int64_t start, int64_t count) {
    softmax_pixels_vjp(log, y + start, gy + start, gx + start, s.c, s.pixels, count);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe {
HWY_EXPORT(SoftmaxPlanar);
HWY_EXPORT(SoftmaxPlanarVjp);

namespace cpu {

void softmax_planar(bool log, const float* x, float* y, SoftmaxSizes s) {
  HWY_DYNAMIC_DISPATCH(SoftmaxPlanar)(log, x, y, s);
}
void softmax_planar_vjp(bool log, const float* y, const float* gy, float* gx, SoftmaxSizes s) {
  HWY_DYNAMIC_DISPATCH(SoftmaxPlanarVjp)(log, y, gy, gx, s);
}

}  // namespace cpu
}  // namespace loupe
#endif
