// Sums, means and maxima on the CPU. Where the last axis is reduced a task is a group, and lanes are
// neighbours in it; where it is kept a task is 16 neighbouring groups, one a lane.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce/reduce.cpu.cpp"
#include <cmath>
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/highway.h"
#include "kernels/common/parallel.h"
#include "kernels/common/row-inl.h"
#include "kernels/reduce/reduce.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

// The sums of the stretches that a group consists of are added in order.
void ReduceSum(const Reduction& r, float divisor, const float* x, float* y) {
  const int64_t stretches = r.reduced_count();
  if (r.run_is_reduced)
    return parallel_for(r.kept_count(), [=](int64_t i) {
      float sum = 0;
      for (int64_t j = 0; j < stretches; ++j) {
        const float* from = x + r.start(i, j);
        sum += sum_of(r.run, [=](int64_t t, int64_t count) { return load_part(from + t, count); });
      }
      y[i] = sum / divisor;
    });
  parallel_for(r.kept_count() * blocks(r.run), [=](int64_t task) {
    const int64_t i = task / blocks(r.run), t = task % blocks(r.run) * kBlock,
                  count = std::min(kBlock, r.run - t);
    Block sum = fill(0.0f);
    for (int64_t j = 0; j < stretches; ++j) sum = add(sum, load_part(x + r.start(i, j) + t, count));
    for (Vec& v : sum.v) v = hn::Div(v, hn::Set(D(), divisor));
    store_part(sum, y + r.output(i, t), count);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe {
HWY_EXPORT(ReduceSum);

namespace cpu {

namespace {

// The greatest so far, and its number in the group.
struct Best {
  float value;
  int32_t place;
  void see(float x, int64_t at) {
    if (!(x > value) && !(std::isnan(x) && !std::isnan(value))) return;
    value = x;
    place = static_cast<int32_t>(at);
  }
};

// Groups [t, t + count) of kept place i.
void max_of_lanes(const Reduction& r, int64_t i, int64_t t, int64_t count, const float* x, float* y,
                  int32_t* index) {
  Best best[kBlock];
  for (int64_t lane = 0; lane < count; ++lane) best[lane] = {x[r.start(i, 0) + t + lane], 0};
  for (int64_t j = 1; j < r.reduced_count(); ++j) {
    const float* from = x + r.start(i, j) + t;
    for (int64_t lane = 0; lane < count; ++lane) best[lane].see(from[lane], j);
  }
  for (int64_t lane = 0; lane < count; ++lane) {
    y[r.output(i, t + lane)] = best[lane].value;
    if (index) index[r.output(i, t + lane)] = best[lane].place;
  }
}

// Calls write(i, j, start(i, j)) for each run of x, in parallel.
template <typename Write>
void for_runs(const Reduction& r, const Write& write) {
  parallel_for(r.kept_count() * r.reduced_count(), [=](int64_t run) {
    const int64_t i = run / r.reduced_count(), j = run % r.reduced_count();
    write(i, j, r.start(i, j));
  });
}

}  // namespace

void reduce_sum(const Reduction& r, float divisor, const float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(ReduceSum)(r, divisor, x, y);
}

void reduce_max(const Reduction& r, const float* x, float* y, int32_t* index) {
  if (!r.run_is_reduced)
    return parallel_for(r.kept_count() * blocks(r.run), [=](int64_t task) {
      const int64_t t = task % blocks(r.run) * kBlock;
      max_of_lanes(r, task / blocks(r.run), t, std::min(kBlock, r.run - t), x, y, index);
    });
  parallel_for(r.kept_count(), [=](int64_t i) {
    Best best{x[r.start(i, 0)], 0};
    for (int64_t j = 0; j < r.reduced_count(); ++j)
      for (int64_t t = 0; t < r.run; ++t) best.see(x[r.start(i, j) + t], r.place(j, t));
    y[i] = best.value;
    if (index) index[i] = best.place;
  });
}

void reduce_sum_vjp(const Reduction& r, float divisor, const float* gy, float* gx) {
  for_runs(r, [=](int64_t i, int64_t, int64_t start) {
    if (r.run_is_reduced) return static_cast<void>(std::fill_n(gx + start, r.run, gy[i] / divisor));
    for (int64_t t = 0; t < r.run; ++t) gx[start + t] = gy[r.output(i, t)] / divisor;
  });
}

void reduce_max_vjp(const Reduction& r, const int32_t* index, const float* gy, float* gx) {
  for_runs(r, [=](int64_t i, int64_t j, int64_t start) {
    for (int64_t t = 0; t < r.run; ++t) {
      const int64_t o = r.output(i, t);
      gx[start + t] = r.place(j, t) == index[o] ? gy[o] : 0.0f;
    }
  });
}

}  // namespace cpu
}  // namespace loupe
#endif
