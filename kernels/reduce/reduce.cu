// Sums, means and maxima on a GPU. Where the last axis is reduced a warp takes a group, or a block a large
// one, its threads reading neighbours. Where it is kept a block takes 32 neighbouring groups, one a lane:
// each of its 8 warps sees every eighth element of all of them. Threads, warps and lanes are put together in
// a fixed order; of equal maxima the first one wins.
//
// Floor: to read 4 bytes an element (the vjp writes them). Sums take one addition an element.
#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"
#include "kernels/reduce/reduce.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;  // of a block
constexpr int kMostForAWarp = 1024;                   // elements of a group

struct Sum {
  float value = 0;
  LOUPE_DEVICE void see(float x, int) { value += x; }
  LOUPE_DEVICE void join(const Sum& other) { value += other.value; }
  LOUPE_DEVICE static Sum of_lane(const Sum& mine, int bits) { return {shuffle_xor(mine.value, bits)}; }
};

struct Best {
  float value = minus_infinity();
  int place = -1;  // none yet
  LOUPE_DEVICE void see(float x, int at) { join({x, at}); }
  LOUPE_DEVICE void join(const Best& other) {
    if (other.place < 0) return;
    const bool greater = other.value > value || (is_nan(other.value) && !is_nan(value));
    const bool equal = other.value == value || (is_nan(other.value) && is_nan(value));
    if (place >= 0 && !greater && !(equal && other.place < place)) return;
    value = other.value;
    place = other.place;
  }
  LOUPE_DEVICE static Best of_lane(const Best& mine, int bits) {
    return {shuffle_xor(mine.value, bits), shuffle_xor(mine.place, bits)};
  }
};

template <typename State>
LOUPE_DEVICE State of_warp(State mine) {
  LOUPE_UNROLL
  for (int bits = kWarp / 2; bits > 0; bits /= 2) mine.join(State::of_lane(mine, bits));
  return mine;
}

LOUPE_DEVICE void store_result(const Sum& s, float divisor, float* y, int32_t*, int64_t o) {
  y[o] = s.value / divisor;
}
LOUPE_DEVICE void store_result(const Best& b, float, float* y, int32_t* index, int64_t o) {
  y[o] = b.value;
  if (index) index[o] = b.place;
}

/// The last axis is reduced. Threads: a warp, or a block of kThreads.
template <typename State, int Threads>
LOUPE_KERNEL reduce_rows_kernel(Reduction r, float divisor, const float* x, float* y, int32_t* index) {
  constexpr bool kIsWarp = Threads == kWarp;
  const int64_t i = kIsWarp ? int64_t{blockIdx.x} * kWarps + warp_id() : int64_t{blockIdx.x};
  if (i >= r.kept_count()) return;
  const int run = static_cast<int>(r.run), stretches = static_cast<int>(r.reduced_count());
  State mine;
  for (int j = 0; j < stretches; ++j) {
    const float* from = x + r.start(i, j);
    for (int t = kIsWarp ? lane_id() : thread_number(); t < run; t += Threads) mine.see(from[t], j * run + t);
  }
  mine = of_warp(mine);
  if constexpr (!kIsWarp) {
    struct Parts {
      State of[kWarps];
    };
    auto& part = shared_storage<Parts>().of;
    if (lane_id() == 0) part[warp_id()] = mine;
    sync_threads();
    if (thread_number() != 0) return;
    for (int w = 1; w < kWarps; ++w) mine.join(part[w]);
  } else if (lane_id() != 0) {
    return;
  }
  store_result(mine, divisor, y, index, i);
}

/// The last axis is kept.
template <typename State>
LOUPE_KERNEL reduce_columns_kernel(Reduction r, float divisor, const float* x, float* y, int32_t* index) {
  struct Parts {
    State of[kWarps][kWarp];
  };
  auto& part = shared_storage<Parts>().of;
  const int64_t tiles = (r.run + kWarp - 1) / kWarp, i = blockIdx.x / tiles;
  const int64_t t = (blockIdx.x - i * tiles) * kWarp + lane_id();
  const int stretches = static_cast<int>(r.reduced_count());
  State mine;
  if (t < r.run)
    for (int j = warp_id(); j < stretches; j += kWarps) mine.see(x[r.start(i, j) + t], j);
  part[warp_id()][lane_id()] = mine;
  sync_threads();
  if (warp_id() != 0 || t >= r.run) return;
  for (int w = 1; w < kWarps; ++w) mine.join(part[w][lane_id()]);
  store_result(mine, divisor, y, index, r.output(i, t));
}

/// One thread an element of x; a plane is a run.
LOUPE_KERNEL reduce_vjp_kernel(Cells cells, Reduction r, float divisor, const int32_t* index, const float* gy,
                               float* gx) {
  int64_t plane;
  int t;
  if (!cells.find(plane, t)) return;
  const int64_t i = plane / r.reduced_count(), j = plane - i * r.reduced_count(), o = r.output(i, t);
  gx[r.start(i, j) + t] = !index ? gy[o] / divisor : index[o] == r.place(j, t) ? gy[o] : 0.0f;
}

template <typename State>
void reduce_by(Stream stream, const Reduction& r, float divisor, const float* x, float* y, int32_t* index) {
  small(r.group());
  if (!r.run_is_reduced)
    return launch({{blocks_for(r.kept_count() * ((r.run + kWarp - 1) / kWarp), 1)}, {kThreads}, 0, stream},
                  reduce_columns_kernel<State>, r, divisor, x, y, index);
  if (r.group() <= kMostForAWarp)
    return launch({{blocks_for(r.kept_count(), kWarps)}, {kThreads}, 0, stream},
                  reduce_rows_kernel<State, kWarp>, r, divisor, x, y, index);
  launch({{blocks_for(r.kept_count(), 1)}, {kThreads}, 0, stream}, reduce_rows_kernel<State, kThreads>, r,
         divisor, x, y, index);
}

}  // namespace

void reduce_sum(Stream stream, Reduction r, float divisor, const float* x, float* y) {
  reduce_by<Sum>(stream, r, divisor, x, y, nullptr);
}

void reduce_max(Stream stream, Reduction r, const float* x, float* y, int32_t* index) {
  reduce_by<Best>(stream, r, 1, x, y, index);
}

void reduce_vjp(Stream stream, Reduction r, float divisor, const int32_t* index, const float* gy, float* gx) {
  const Cells cells(r.kept_count() * r.reduced_count(), r.run);
  launch(cells.launch_in(stream), reduce_vjp_kernel, cells, r, divisor, index, gy, gx);
}

LOUPE_EXPORT(reduce_sum);
LOUPE_EXPORT(reduce_max);
LOUPE_EXPORT(reduce_vjp);

}  // namespace loupe::LOUPE_TARGET
