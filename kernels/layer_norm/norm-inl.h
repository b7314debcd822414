// What the norms on the CPU have in common.
//
// For Highway's *.cpu.cpp files: include it after hwy/foreach_target.h; it is compiled once for each target.
#if defined(LOUPE_NORM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOUPE_NORM_INL_H
#undef LOUPE_NORM_INL_H
#else
#define LOUPE_NORM_INL_H
#endif
#include <cmath>

#include "hwy/highway.h"
#include "kernels/common/row-inl.h"
#include "kernels/layer_norm/norm.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

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
