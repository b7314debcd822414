// See bugs.h. The planted line of each kernel says so; the test finds it by that comment and compares it with
// the line in the simulator's message.
#include "tests/kernels/sim/bugs.h"

#include "kernels/device/async_copy.h"
#include "kernels/device/atomic.h"
#include "kernels/device/constant.h"
#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kThreads = 64;

struct Tile {
  float x[kThreads];
};

LOUPE_KERNEL missing_barrier_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  tile.x[t] = in[t];
  if (!planted) sync_threads();
  out[t] = tile.x[kThreads - 1 - t];  // missing_barrier
}

LOUPE_KERNEL missing_barrier_before_reuse_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  float sum = 0;
  for (int round = 0; round < 2; ++round) {
    tile.x[t] = in[t] + static_cast<float>(round);  // missing_barrier_before_reuse
    sync_threads();
    sum += tile.x[(t + 32) % kThreads];  // missing_barrier_before_reuse
    if (!planted) sync_threads();
  }
  out[t] = sum;
}

LOUPE_KERNEL divergent_barrier_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  tile.x[t] = in[t];
  if (!planted || t < 40) sync_threads();  // divergent_barrier
  out[t] = tile.x[t];
}

LOUPE_KERNEL different_barriers_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  tile.x[t] = in[t];
  if (planted && t % 2 == 0) {
    tile.x[t] += 1;
    sync_threads();  // different_barriers
  } else {
    sync_threads();  // different_barriers
  }
  out[t] = tile.x[t];
}

LOUPE_KERNEL barrier_after_return_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  if (planted && t >= 50) return;
  tile.x[t] = in[t];
  sync_threads();  // barrier_after_return
  out[t] = tile.x[t];
}

LOUPE_KERNEL shuffle_names_absent_lane_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  float value = in[t];
  if (!planted || t % 32 < 16) value = shuffle_xor(value, 1);  // shuffle_names_absent_lane
  sync_threads();
  out[t] = value;
}

LOUPE_KERNEL shuffle_names_ended_lane_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  if (planted && t == 37) return;
  out[t] = shuffle_xor(in[t], 1);  // shuffle_names_ended_lane
}

LOUPE_KERNEL shuffle_with_wrong_mask_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  const uint32_t low = 0x0000ffffu, high = 0xffff0000u;
  // Either half of a warp shuffles on its own.
  const uint32_t mine = t % 32 < 16 ? low : high;
  out[t] = shuffle_xor(in[t], 1, planted && t % 32 < 16 ? kAllLanes : mine);  // shuffle_with_wrong_mask
}

LOUPE_KERNEL missing_copy_wait_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  copy_async<4>(&tile.x[t], &in[t]);
  commit_copies();
  if (!planted) wait_copies<0>();
  sync_threads();
  out[t] = tile.x[kThreads - 1 - t];  // missing_copy_wait
}

LOUPE_KERNEL copy_wait_without_barrier_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  copy_async<4>(&tile.x[t], &in[t]);
  commit_copies();
  wait_copies<0>();
  if (!planted) sync_threads();
  out[t] = tile.x[kThreads - 1 - t];  // copy_wait_without_barrier
}

LOUPE_KERNEL uncommitted_copy_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  copy_async<4>(&tile.x[t], &in[t]);
  if (!planted) commit_copies();
  wait_copies<0>();
  out[t] = tile.x[t];  // uncommitted_copy
}

LOUPE_KERNEL uninitialised_shared_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  if (!planted || t != 5) tile.x[t] = in[t];
  sync_threads();
  out[t] = tile.x[t];  // uninitialised_shared
}

LOUPE_KERNEL past_the_end_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  out[t] = in[t + (planted ? 193 : 0)];  // past_the_end
}

LOUPE_KERNEL before_the_beginning_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  out[t - (planted ? 1 : 0)] = in[t];  // before_the_beginning
}

// A step that lands beyond `in` and short of whatever comes next.
LOUPE_KERNEL between_allocations_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  out[t] = in[planted ? t * 4096 : t];  // between_allocations
}

LOUPE_KERNEL past_shared_kernel(bool planted, float* out, const float* in) {
  float* x = dynamic_shared_storage<float>();
  const int t = thread_number();
  x[t + (planted ? 1 : 0)] = in[t];  // past_shared
  out[t] = x[t + (planted ? 1 : 0)];
}

LOUPE_KERNEL misaligned_vector_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  if (t < 32) store_vector(out + 4 * t, load_vector<4>(in + 4 * t + (planted ? 1 : 0)));  // misaligned_vector
}

LOUPE_KERNEL race_between_warps_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  // Each warp has a cell of its own; planted, they share one.
  if (lane_id() == 0) tile.x[planted ? 0 : warp_id()] = in[t];  // race_between_warps
  sync_threads();
  if (t == 0) out[0] = tile.x[0];
}

LOUPE_KERNEL race_in_global_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  out[planted ? t / 2 * 2 : t] = in[t];  // race_in_global
}

LOUPE_KERNEL race_between_blocks_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  const auto block = static_cast<int>(blockIdx.x);
  out[t + (planted ? block / 2 : block) * kThreads] = in[t];  // race_between_blocks
}

LOUPE_KERNEL race_within_warp_kernel(bool planted, float* out, const float* in) {
  Tile& tile = shared_storage<Tile>();
  const int t = thread_number();
  tile.x[t] = in[t];
  if (!planted) sync_warp();
  out[t] = tile.x[t ^ 1];  // race_within_warp
}

LOUPE_KERNEL host_pointer_kernel(bool planted, float* out, const float* in, const float* host) {
  const int t = thread_number();
  out[t] = (planted ? host : in)[t];  // host_pointer
}

LOUPE_KERNEL null_pointer_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  out[t] = planted && t == 9 ? *static_cast<const float*>(nullptr) : in[t];  // null_pointer
}

struct Scale {
  float by;
};
LOUPE_CONSTANT(Scale, g_scale);

LOUPE_KERNEL writes_constant_kernel(bool planted, float* out, const float* in) {
  const int t = thread_number();
  if (planted && t == 0) const_cast<volatile float&>(g_scale.by) = 2;  // writes_constant
  out[t] = in[t];
}

LOUPE_KERNEL scale_by_constant_kernel(float* out, const float* in) {
  const int t = thread_number();
  out[t] = g_scale.by * in[t];
}

}  // namespace

#define LOUPE_BUG(name, blocks, dynamic)                                              \
  void name(Stream stream, bool planted, float* out, const float* in) {               \
    launch({{blocks}, {kThreads}, dynamic, stream}, name##_kernel, planted, out, in); \
  }                                                                                   \
  LOUPE_EXPORT(name)

LOUPE_BUG(missing_barrier, 1, 0);
LOUPE_BUG(missing_barrier_before_reuse, 1, 0);
LOUPE_BUG(divergent_barrier, 1, 0);
LOUPE_BUG(different_barriers, 1, 0);
LOUPE_BUG(barrier_after_return, 1, 0);
LOUPE_BUG(shuffle_names_absent_lane, 1, 0);
LOUPE_BUG(shuffle_names_ended_lane, 1, 0);
LOUPE_BUG(shuffle_with_wrong_mask, 1, 0);
LOUPE_BUG(missing_copy_wait, 1, 0);
LOUPE_BUG(copy_wait_without_barrier, 1, 0);
LOUPE_BUG(uncommitted_copy, 1, 0);
LOUPE_BUG(uninitialised_shared, 1, 0);
LOUPE_BUG(past_the_end, 1, 0);
LOUPE_BUG(before_the_beginning, 1, 0);
LOUPE_BUG(between_allocations, 1, 0);
LOUPE_BUG(past_shared, 1, kThreads * 4);
LOUPE_BUG(misaligned_vector, 1, 0);
LOUPE_BUG(race_between_warps, 1, 0);
LOUPE_BUG(race_in_global, 1, 0);
LOUPE_BUG(race_between_blocks, 4, 0);
LOUPE_BUG(race_within_warp, 1, 0);
LOUPE_BUG(null_pointer, 1, 0);
LOUPE_BUG(writes_constant, 1, 0);

void host_pointer(Stream stream, bool planted, float* out, const float* in) {
  static const std::vector<float> on_the_host(256);
  launch({{1}, {kThreads}, 0, stream}, host_pointer_kernel, planted, out, in, on_the_host.data());
}
LOUPE_EXPORT(host_pointer);

void scale_by_constant(Stream stream, float scale, float* out, const float* in) {
  set_constant(g_scale, {scale}, stream);
  launch({{1}, {kThreads}, 0, stream}, scale_by_constant_kernel, out, in);
}
LOUPE_EXPORT(scale_by_constant);

}  // namespace loupe::LOUPE_TARGET
