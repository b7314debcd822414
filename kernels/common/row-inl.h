// Rows of any length, on the CPU, as blocks of 16 floats of which the last may be a part; and sums over them,
// whose order follows from the length alone.
//
// For Highway's *.cpu.cpp files: include it after hwy/foreach_target.h; it is compiled once for each target.
#if defined(LOUPE_ROW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOUPE_ROW_INL_H
#undef LOUPE_ROW_INL_H
#else
#define LOUPE_ROW_INL_H
#endif
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/common/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

/// a − b
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

/// Σ term(i, count) over the blocks of a row: i is a block's first element, and `count` how many it has; the
/// lanes after them must be zero. Four sums take the blocks in turn.
template <typename Term>
HWY_INLINE float sum_of(int64_t length, const Term& term) {
  Block sum[4] = {fill(0.0f), fill(0.0f), fill(0.0f), fill(0.0f)};
  int64_t i = 0;
  for (; i + 4 * kBlock <= length; i += 4 * kBlock)
    for (int64_t j = 0; j < 4; ++j) sum[j] = add(sum[j], term(i + j * kBlock, kBlock));
  for (; i < length; i += kBlock) sum[0] = add(sum[0], term(i, std::min(kBlock, length - i)));
  return total(add(add(sum[0], sum[1]), add(sum[2], sum[3])));
}

/// Calls body(i, count) for the blocks of a row.
template <typename Body>
HWY_INLINE void for_blocks(int64_t length, const Body& body) {
  int64_t i = 0;
  for (; i + kBlock <= length; i += kBlock) body(i, kBlock);
  if (i < length) body(i, length - i);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
