// The micro-kernels of attention on the CPU. Sixteen queries (or, for dL/dk and dL/dv, sixteen keys) lie in
// the lanes of a Block, and what they meet goes by row by row: a panel holds the sixteen rows of q
// transposed, so that a score is a broadcast of k times a load of the panel, no sum crosses lanes, and k and
// v are read as they lie. Each sum is in the order of its rows, whatever the instruction set.
//
// For Highway's *.cpu.cpp files: include it after hwy/foreach_target.h; it is compiled once for each target.
#if defined(LOUPE_ATTENTION_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOUPE_ATTENTION_TILES_INL_H
#undef LOUPE_ATTENTION_TILES_INL_H
#else
#define LOUPE_ATTENTION_TILES_INL_H
#endif
#include <algorithm>
#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "kernels/attention/scene.h"
#include "kernels/common/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other ops' functions of the same name would merge with these

using cpu::kRows;
using cpu::Rows;
using cpu::Scene;

constexpr int kAtOnce = kVectors == 1 ? 12 : kVectors == 2 ? 6 : 2;  // sums that registers hold
constexpr float kNothing = -std::numeric_limits<float>::infinity();  // the score of a masked key

HWY_INLINE Block subtract(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Sub(a.v[i], b.v[i]);
  return r;
}

/// eˣ, within 2 ulp: x = n·ln 2 + r with |r| ≤ ½·ln 2, Taylor's series to r⁷ (whose rest is below 6·10⁻⁹),
/// and 2ⁿ put into the exponent. Below −87.3, where the result would be subnormal, 0; above 88.3 it stays
/// what it is there.
HWY_INLINE Vec exponential(Vec x) {
  const D d;
  const Vec clamped = hn::Min(hn::Max(x, hn::Set(d, -87.3f)), hn::Set(d, 88.3f));
  const Vec n = hn::Round(hn::Mul(clamped, hn::Set(d, 1.44269504f)));
  // ln 2 in two parts, the first so short that n times it is exact.
  Vec r = hn::MulAdd(n, hn::Set(d, -0.693359375f), clamped);
  r = hn::MulAdd(n, hn::Set(d, 2.12194440e-4f), r);
  Vec sum = hn::Set(d, 1.0f / 5040);
  for (const float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    sum = hn::MulAdd(sum, r, hn::Set(d, c));
  const hn::RebindToSigned<D> whole;
  const auto power = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(whole, n), hn::Set(whole, 127)));
  const Vec y = hn::Mul(sum, hn::BitCast(d, power));
  return hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.3f)), y));
}
HWY_INLINE Block exponential(const Block& x) {
  Block y;
  for (int i = 0; i < kVectors; ++i) y.v[i] = exponential(x.v[i]);
  return y;
}

/// panel[c][l] = rows.at(l)[c], zero for lanes beyond rows.count.
HWY_INLINE void pack(const Rows& rows, int64_t width, float* panel) {
  for (int64_t c = 0; c < width; ++c)
    for (int64_t l = 0; l < kBlock; ++l) panel[c * kBlock + l] = l < rows.count ? rows.at(l)[c] : 0.0f;
}
/// The way back, each number times its lane's factor.
HWY_INLINE void unpack(const float* panel, const float* factors, int64_t width, int64_t count, float* to,
                       int64_t stride) {
  for (int64_t l = 0; l < count; ++l)
    for (int64_t c = 0; c < width; ++c) to[l * stride + c] = panel[c * kBlock + l] * factors[l];
}

template <int kCount>
HWY_INLINE void some_products(const float* row, int64_t stride, int64_t width, const float* panel,
                              float* out) {
  Block sum[kCount];
#pragma GCC unroll 16
  for (int r = 0; r < kCount; ++r) sum[r] = fill(0.0f);
  for (int64_t c = 0; c < width; ++c) {
    const Block p = load(panel + c * kBlock);
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r) sum[r] = fma(fill(row[r * stride + c]), p, sum[r]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kCount; ++r) store(sum[r], out + r * kBlock);
}

/// out[r][l] = Σ_c rows.at(r)[c] · panel[c][l]
HWY_INLINE void products(const Rows& rows, int64_t width, const float* panel, float* out) {
  int64_t r = 0;
  for (; r + kAtOnce <= rows.count; r += kAtOnce)
    some_products<kAtOnce>(rows.at(r), rows.stride, width, panel, out + r * kBlock);
  for (; r < rows.count; ++r) some_products<1>(rows.at(r), rows.stride, width, panel, out + r * kBlock);
}

template <int kCount>
HWY_INLINE void add_columns(const Rows& rows, int64_t c, const float* weights, float* panel) {
  Block sum[kCount];
#pragma GCC unroll 16
  for (int k = 0; k < kCount; ++k) sum[k] = load(panel + (c + k) * kBlock);
  for (int64_t r = 0; r < rows.count; ++r) {
    const Block w = load(weights + r * kBlock);
    const float* row = rows.at(r) + c;
#pragma GCC unroll 16
    for (int k = 0; k < kCount; ++k) sum[k] = fma(fill(row[k]), w, sum[k]);
  }
#pragma GCC unroll 16
  for (int k = 0; k < kCount; ++k) store(sum[k], panel + (c + k) * kBlock);
}

/// panel[c][l] += Σ_r weights[r][l] · rows.at(r)[c]
HWY_INLINE void accumulate(const Rows& rows, int64_t width, const float* weights, float* panel) {
  int64_t c = 0;
  for (; c + kAtOnce <= width; c += kAtOnce) add_columns<kAtOnce>(rows, c, weights, panel);
  for (; c < width; ++c) add_columns<1>(rows, c, weights, panel);
}

/// The scores of a tile: rows `first` … of the scene, whose products are in `tile`, become scale · product +
/// bias, or −∞ where row and lane do not see each other.
HWY_INLINE void finish_scores(const Scene& s, int64_t first, int64_t count, float* tile) {
  const Block scale = fill(s.scale), nothing = fill(kNothing);
  for (int64_t r = 0; r < count; ++r) {
    Block bias = fill(0.0f);
    if (s.bias) {
      float lanes[kBlock] = {};
      const float* from = s.bias + (first + r) * s.bias_row + s.lane * s.bias_lane;
      for (int64_t l = 0; l < s.lanes; ++l) lanes[l] = from[l * s.bias_lane];
      bias = load(lanes);
    }
    Block score = fma(load(tile + r * kBlock), scale, bias);
    if (const uint16_t sees = s.sees(first + r); sees != 0xffff) score = select(sees, score, nothing);
    store(score, tile + r * kBlock);
  }
}

/// Sixteen queries' softmax so far: the largest score and the sum of exp(score − largest), in each lane.
struct Running {
  Block max, sum;
  HWY_INLINE Running() : max(fill(kNothing)), sum(fill(0.0f)) {}

  // Takes in a tile of scores, which become exp(score − largest); what was added up before is to be
  // multiplied by the result.
  HWY_INLINE Block take(float* tile, int64_t count) {
    Block largest = max;
    for (int64_t r = 0; r < count; ++r) {
      const Block s = load(tile + r * kBlock);
      for (int i = 0; i < kVectors; ++i) largest.v[i] = hn::Max(largest.v[i], s.v[i]);
    }
    const Block finite = without_infinity(largest), factor = exponential(subtract(max, finite));
    sum = mul(sum, factor);
    for (int64_t r = 0; r < count; ++r) {
      const Block p = exponential(subtract(load(tile + r * kBlock), finite));
      sum = add(sum, p);
      store(p, tile + r * kBlock);
    }
    max = largest;
    return factor;
  }
  // Where all is masked so far, exp(−∞ − 0) is the 0 that exp(−∞ + ∞) is not.
  static HWY_INLINE Block without_infinity(Block x) {
    for (int i = 0; i < kVectors; ++i)
      x.v[i] = hn::IfThenZeroElse(hn::Eq(x.v[i], hn::Set(D(), kNothing)), x.v[i]);
    return x;
  }
};

/// tile[r][l] += g′ of that row and lane.
HWY_INLINE void add_pattern_signal(const Scene& s, const float* g_pattern, int64_t first, int64_t count,
                                   float* tile) {
  for (int64_t r = 0; r < count; ++r)
    for (int64_t l = 0; l < s.lanes; ++l)
      tile[r * kBlock + l] += g_pattern[(first + r) * s.pattern_row + (s.lane + l) * s.pattern_lane];
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
