// What the norms on the CPU are made of: rows in blocks of 16 floats, whose last one may be a part, and sums over them. A sum's
// order follows from its length alone.
//
// For Highway's *.cpu.cpp files: include it after hwy/foreach_target.h; it is compiled once for each target.
#if defined(LOUPE_NORM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOUPE_NORM_INL_H
#undef LOUPE_NORM_INL_H
#else
#define LOUPE_NORM_INL_H
#endif
#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/layer_norm/norm.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE Block subtract(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Sub(a.v[i], b.v[i]);
  return r;
}

/// The first `count` lanes of a block.
HWY_INLINE uint16_t first_lanes(int64_t count) { return static_cast<uint16_t>((1u << count) - 1); }
/// `count` floats, zeros after them.
HWY_INLINE Block load_part(const float* p, int64_t count) {
  if (count == kBlock) return load(p);
  HWY_ALIGN float lanes[kBlock] = {};
  std::copy_n(p, count, lanes);
  return load(lanes);
}
HWY_INLINE void store_part(const Block& b, float* p, int64_t count) {
  if (count == kBlock) return store(b, p);
  HWY_ALIGN float lanes[kBlock];
  store(b, lanes);
  std::copy_n(lanes, count, p);
}
/// b, with zeros after the first `count` lanes.
HWY_INLINE Block only(const Block& b, int64_t count) {
  return count == kBlock ? b : select(first_lanes(count), b, fill(0.0f));
}

/// The sum of the lanes, by halves.
HWY_INLINE float total(const Block& b) {
  HWY_ALIGN float lanes[kBlock];
  store(b, lanes);
  for (int64_t half = kBlock / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

/// Σ term(i, count) over the blocks of a row: i is a block's first element, and `count` how many it has; the lanes after them
/// must be zero. Four sums take the blocks in turn.
template <typename Term>
HWY_INLINE float sum_of(int64_t length, const Term& term) {
  Block sum[4] = {fill(0.0f), fill(0.0f), fill(0.0f), fill(0.0f)};
  int64_t i = 0;
  for (; i + 4 * kBlock <= length; i += 4 * kBlock)
    for (int64_t j = 0; j < 4; ++j) sum[j] = add(sum[j], term(i + j * kBlock, kBlock));
  for (; i < length; i += kBlock) sum[0] = add(sum[0], term(i, std::min(kBlock, length - i)));
  return total(add(add(sum[0], sum[1]), add(sum[2], sum[3])));
}

/// What the tape keeps of a group.
struct Statistics {
  float mean = 0, r = 0;
  static Statistics read(const Norm& n, const float* record, int64_t group) {
    return {n.centred ? record[group * n.kept()] : 0.0f, record[(group + 1) * n.kept() - 1]};
  }
  void write(const Norm& n, float* record, int64_t group) const {
    if (!record) return;
    if (n.centred) record[group * n.kept()] = mean;
    record[(group + 1) * n.kept() - 1] = r;
  }
  HWY_INLINE Block normalise(const Block& x) const { return mul(subtract(x, fill(mean)), fill(r)); }
};

HWY_INLINE float one_over_deviation(const Norm& n, float squares) {
  return 1 / std::sqrt(squares / static_cast<float>(n.length) + static_cast<float>(n.eps));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
