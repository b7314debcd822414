// Sums, means and maxima over any axes.
//
//   sum   y = Σ x             gx = gy
//   mean  y = Σ x / count     gx = gy / count
//   max   y = max x           gx = gy at the first greatest of each group, in row-major order, 0 elsewhere
//
// A NaN is greater than everything, so that it is never lost. The tape keeps of max the place of the first
// greatest within its group, as an int32. A reduced axis goes, or with `keep` stays with size 1.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/common/op.h"

namespace loupe {

struct Reduce {
  enum class Kind : uint8_t { sum, mean, max };
  Kind kind = Kind::sum;
  std::vector<int> axes = {-1};  // negative ones count from the end
  bool keep = false;
};
/// Graph node: one input of any rank.
OpPtr reduce(Reduce);
/// Whether the op is the mean over height and width of maps (N, C, H, W), as some networks end with.
bool is_mean_over_maps(const Op&);

/// x as the kernels see it: of its last dimensions that are all reduced, or all kept, a `run` in one piece;
/// of those before it, three kept and three reduced ones at most, since neighbours of one sort count as one.
struct Reduction {
  static constexpr int kDims = 3;
  struct Dim {
    int64_t size = 1, stride = 0;
  };
  Dim kept[kDims] = {}, reduced[kDims] = {};  // outermost first
  int64_t run = 1;
  bool run_is_reduced = false;

  static constexpr int64_t count(const Dim (&dims)[kDims]) {
    return dims[0].size * dims[1].size * dims[2].size;
  }
  static constexpr int64_t offset(const Dim (&dims)[kDims], int64_t i) {
    const int64_t outer = i / dims[2].size;
    return i % dims[2].size * dims[2].stride + outer % dims[1].size * dims[1].stride +
           outer / dims[1].size * dims[0].stride;
  }
  /// Element `t` of the run that is at x[start(i, j)] belongs to group output(i, t), and is its number
  /// place(j, t).
  constexpr int64_t start(int64_t i, int64_t j) const { return offset(kept, i) + offset(reduced, j); }
  constexpr int64_t output(int64_t i, int64_t t) const { return run_is_reduced ? i : i * run + t; }
  constexpr int64_t place(int64_t j, int64_t t) const { return run_is_reduced ? j * run + t : j; }
  constexpr int64_t kept_count() const { return count(kept); }        // without the run
  constexpr int64_t reduced_count() const { return count(reduced); }  // without the run
  constexpr int64_t outputs() const { return kept_count() * (run_is_reduced ? 1 : run); }
  constexpr int64_t group() const { return reduced_count() * (run_is_reduced ? run : 1); }

  /// `axis_is_reduced`: bit i for axis i.
  static Reduction of(const Shape& x, uint32_t axis_is_reduced);
};

namespace ref {
// T = float or double. `index` may be null.
/// y = Σ x / divisor.
template <typename T>
void reduce_sum(const Reduction&, T divisor, const T* x, T* y);
template <typename T>
void reduce_max(const Reduction&, const T* x, T* y, int32_t* index);
/// gx = gy / divisor.
template <typename T>
void reduce_sum_vjp(const Reduction&, T divisor, const T* gy, T* gx);
template <typename T>
void reduce_max_vjp(const Reduction&, const int32_t* index, const T* gy, T* gx);
}  // namespace ref

namespace cpu {
void reduce_sum(const Reduction&, float divisor, const float* x, float* y);
void reduce_max(const Reduction&, const float* x, float* y, int32_t* index);
void reduce_sum_vjp(const Reduction&, float divisor, const float* gy, float* gx);
void reduce_max_vjp(const Reduction&, const int32_t* index, const float* gy, float* gx);
}  // namespace cpu

namespace device {  // reduce.cu; as ref's
inline constexpr DeviceFunction<void(Reduction, float divisor, const float* x, float* y)> reduce_sum{
    "reduce_sum"};
inline constexpr DeviceFunction<void(Reduction, const float* x, float* y, int32_t* index)> reduce_max{
    "reduce_max"};
/// With an index the vjp of max, without (null) that of a sum.
inline constexpr DeviceFunction<void(Reduction, float divisor, const int32_t* index, const float* gy,
                                     float* gx)>
    reduce_vjp{"reduce_vjp"};
}  // namespace device

}  // namespace loupe
