// Kernels without a bug: what the simulator offers, each compared with a plain computation (simulator_test).
#include "kernels/device/atomic.h"
#include "kernels/device/export.h"
#include "kernels/device/mma.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"
#include "tests/kernels/sim/bugs.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL atomic_sum_kernel(int* out, const int* in, int64_t n) {
  int& sum = shared_storage<int>();
  if (threadIdx.x == 0) sum = 0;
  sync_threads();
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) atomic_add(&sum, in[i]);
  sync_threads();
  if (threadIdx.x == 0) atomic_add(out, sum);
}

LOUPE_KERNEL mma_tile_kernel(int type, const float* a, const float* b, const float* c, float* d) {
  const int lane = lane_id();
  float sum[4];
  for (int i = 0; i < 4; ++i) sum[i] = c[fragment_c(lane, i).row * 8 + fragment_c(lane, i).column];
  uint32_t fa[4], fb[2];
  if (type == 0) {
    for (int i = 0; i < 4; ++i)
      fa[i] = to_tf32(a[fragment_a_tf32(lane, i).row * 8 + fragment_a_tf32(lane, i).column]);
    for (int i = 0; i < 2; ++i)
      fb[i] = to_tf32(b[fragment_b_tf32(lane, i).row * 8 + fragment_b_tf32(lane, i).column]);
    mma_tf32(sum, fa, fb);
  } else {
    float va[8], vb[4];
    for (int i = 0; i < 8; ++i)
      va[i] = a[fragment_a_half(lane, i).row * 16 + fragment_a_half(lane, i).column];
    for (int i = 0; i < 4; ++i) vb[i] = b[fragment_b_half(lane, i).row * 8 + fragment_b_half(lane, i).column];
    for (int i = 0; i < 4; ++i)
      fa[i] = type == 1 ? pack_bf16(va[2 * i], va[2 * i + 1]) : pack_f16(va[2 * i], va[2 * i + 1]);
    for (int i = 0; i < 2; ++i)
      fb[i] = type == 1 ? pack_bf16(vb[2 * i], vb[2 * i + 1]) : pack_f16(vb[2 * i], vb[2 * i + 1]);
    if (type == 1)
      mma_bf16(sum, fa, fb);
    else
      mma_f16(sum, fa, fb);
  }
  for (int i = 0; i < 4; ++i) d[fragment_c(lane, i).row * 8 + fragment_c(lane, i).column] = sum[i];
}

LOUPE_KERNEL warp_operation_kernel(int which, uint32_t mask, float* out, const float* in) {
  const int lane = lane_id();
  if (!(mask >> lane & 1)) return;
  const float x = in[lane];
  float y = 0;
  switch (which) {
    case 0:
      y = shuffle(x, 3, mask);
      break;
    case 1:
      y = shuffle_xor(x, 5, mask);
      break;
    case 2:
      y = shuffle_down(x, 4, mask);
      break;
    case 3:
      y = shuffle_up(x, 4, mask);
      break;
    case 4:
      y = static_cast<float>(ballot(x > 0, mask) & 0xffffu);
      break;
    case 5:
      y = any(x > 30, mask) ? 1.0f : 0.0f;
      break;
    case 6:
      y = all(x > -1, mask) ? 1.0f : 0.0f;
      break;
    case 7:
      y = warp_sum(x);
      break;
    default:
      y = warp_max(x);
  }
  out[lane] = y;
}

LOUPE_KERNEL add_one_kernel(float* out, const float* in) {
  const auto i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = in[i] + 1;
}

LOUPE_KERNEL record_order_kernel(int* out, int* counter) { out[thread_number()] = atomic_add(counter, 1); }

LOUPE_KERNEL shared_address_kernel(int* out) {
  out[0] = static_cast<int>(reinterpret_cast<uintptr_t>(dynamic_shared_storage<float>()) % 1024);
}

struct Half {
  float x[256];
};

LOUPE_KERNEL reverse_twice_kernel(float* out, const float* in) {
  Half& s = shared_storage<Half>();
  float* d = dynamic_shared_storage<float>();
  const int t = thread_number();
  s.x[t] = in[t];
  sync_threads();
  d[t] = s.x[t ^ 1];
  sync_threads();
  out[t] = d[(255 - t) ^ 1];
}

}  // namespace

void atomic_sum(Stream stream, int* out, const int* in, int64_t n) {
  launch({{blocks_for(n, 96)}, {96}, 0, stream}, atomic_sum_kernel, out, in, n);
}
void shared_address(Stream stream, int* out) { launch({{1}, {1}, 256, stream}, shared_address_kernel, out); }
void mma_tile(Stream stream, int type, const float* a, const float* b, const float* c, float* d) {
  launch({{1}, {32}, 0, stream}, mma_tile_kernel, type, a, b, c, d);
}
void warp_operation(Stream stream, int which, uint32_t mask, float* out, const float* in) {
  launch({{1}, {32}, 0, stream}, warp_operation_kernel, which, mask, out, in);
}
void add_one(Stream stream, float* out, const float* in) {
  launch({{4}, {64}, 0, stream}, add_one_kernel, out, in);
}
void record_order(Stream stream, int* out, int* counter) {
  launch({{1}, {256}, 0, stream}, record_order_kernel, out, counter);
}
void reverse_twice(Stream stream, float* out, const float* in) {
  launch({{1}, {256}, 1024, stream}, reverse_twice_kernel, out, in);
}

LOUPE_EXPORT(atomic_sum);
LOUPE_EXPORT(mma_tile);
LOUPE_EXPORT(shared_address);
LOUPE_EXPORT(warp_operation);
LOUPE_EXPORT(add_one);
LOUPE_EXPORT(record_order);
LOUPE_EXPORT(reverse_twice);

}  // namespace loupe::LOUPE_TARGET
