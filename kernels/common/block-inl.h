// Block: the 16 channels of one pixel in the blocked layout, as 1, 2 or 4 vectors by the instruction set.
// Every operation is elementwise and fused multiply-add is used wherever it is written, so AVX2 and AVX-512
// give the same bits.
//
// For Highway's *.cpu.cpp files: include it after hwy/foreach_target.h; it is compiled once for each target.
#if defined(LOUPE_BLOCK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOUPE_BLOCK_INL_H
#undef LOUPE_BLOCK_INL_H
#else
#define LOUPE_BLOCK_INL_H
#endif
#include <cstring>

#include "hwy/highway.h"
#include "kernels/common/op.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using Vec = hn::Vec<D>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
inline constexpr int kVectors = static_cast<int>(kBlock) / kLanes;

struct Block {
  Vec v[kVectors];
};

HWY_INLINE Block load(const float* p) {
  Block b;
  for (int i = 0; i < kVectors; ++i) b.v[i] = hn::LoadU(D(), p + i * kLanes);
  return b;
}
HWY_INLINE void store(const Block& b, float* p) {
  for (int i = 0; i < kVectors; ++i) hn::StoreU(b.v[i], D(), p + i * kLanes);
}
HWY_INLINE Block fill(float x) {
  Block b;
  for (int i = 0; i < kVectors; ++i) b.v[i] = hn::Set(D(), x);
  return b;
}
HWY_INLINE Block add(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Add(a.v[i], b.v[i]);
  return r;
}
HWY_INLINE Block mul(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Mul(a.v[i], b.v[i]);
  return r;
}
/// a·b + c, rounded once where the machine has FMA.
HWY_INLINE Block fma(const Block& a, const Block& b, const Block& c) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::MulAdd(a.v[i], b.v[i], c.v[i]);
  return r;
}

/// Bit l = lane l of the comparison `less-or-equal` etc. that made the masks.
HWY_INLINE uint16_t mask_bits(const hn::Mask<D>* m) {
  uint32_t bits = 0;
  for (int i = 0; i < kVectors; ++i) {
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(D(), m[i], bytes);
    uint16_t part;
    std::memcpy(&part, bytes, 2);
    bits |= static_cast<uint32_t>(part) << (i * kLanes);
  }
  return static_cast<uint16_t>(bits);
}
/// The lanes of vector `i` as a mask.
HWY_INLINE hn::Mask<D> lane_mask(uint16_t bits, int i) {
  const auto part = static_cast<uint16_t>(bits >> (i * kLanes));
  uint8_t bytes[8] = {};  // LoadMaskBits may read 8
  std::memcpy(bytes, &part, 2);
  return hn::LoadMaskBits(D(), bytes);
}
/// `a` where the bit is set, `b` elsewhere.
HWY_INLINE Block select(uint16_t bits, const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::IfThenElse(lane_mask(bits, i), a.v[i], b.v[i]);
  return r;
}

}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
