// Kernels whose traffic tracer_test counts by hand: where a comment gives a name, a test looks up that line.
#include "kernels/device/async_copy.h"
#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"
#include "tests/kernels/sim/traced.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL transpose_tile_kernel(int pitch, float* out, const float* in) {
  float* tile = dynamic_shared_storage<float>();
  const int lane = lane_id();
  for (int row = 0; row < 32; ++row) tile[row * pitch + lane] = in[row * 32 + lane];
  sync_warp();
  for (int row = 0; row < 32; ++row) out[row * 32 + lane] = tile[lane * pitch + row];
}

LOUPE_KERNEL gather_strided_kernel(int stride, float* out, const float* in) {
  out[lane_id()] = in[lane_id() * stride];
}

LOUPE_KERNEL copy_vectors_kernel(float* out, const float* in) {
  store_vector(out + 4 * lane_id(), load_vector<4>(in + 4 * lane_id()));
}

LOUPE_KERNEL padded_sums_kernel(float* out, const float* in) {
  const int row = lane_id() / 8, column = lane_id() % 8;
  float sum = 0;
  for (int r = row - 1; r <= row + 1; ++r)
    for (int c = column - 1; c <= column + 1; ++c) {
      if (r < 0 || r >= 4 || c < 0 || c >= 8) continue;
      sum += in[r * 8 + c];  // neighbour
    }
  out[lane_id()] = sum;  // sum
}

LOUPE_KERNEL ragged_loop_kernel(float* out, const float* in) {
  float sum = 0;
  for (int k = 0; k <= lane_id() % 4; ++k) sum += in[32 * k + lane_id()];  // some lanes
  out[lane_id()] = sum;                                                    // all lanes
}

LOUPE_KERNEL ragged_inner_loop_kernel(float* out, const float* in) {
  const int lane = lane_id();
  float sum = 0;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j <= lane % 2; ++j) sum += in[(2 * i + j) * 32 + lane];  // inner
    sum += in[128 + 32 * i + lane];                                          // outer
  }
  out[lane] = sum;
}

LOUPE_KERNEL two_sides_kernel(float* out, const float* in) {
  const int lane = lane_id();
  float value;
  if (lane < 16)
    value = in[lane] * 2;  // one side
  else
    value = in[lane] / 2;  // other side
  out[lane] = value;       // both
}

LOUPE_KERNEL early_return_kernel(int count, float* out, const float* in) {
  const int lane = lane_id();
  if (lane >= count) return;
  out[lane] = in[lane];
}

struct Copies {
  float row[5][32];
};

LOUPE_KERNEL zero_filled_copies_kernel(float* out, const float* in) {
  Copies& s = shared_storage<Copies>();
  const int lane = lane_id();
  for (int k = 0; k < 5; ++k) {
    const bool wanted = k < 4 && lane / 8 != k;
    copy_async<4>(&s.row[k][lane], in + 32 * k + lane, wanted);  // copy
  }
  commit_copies();
  wait_copies<0>();
  float sum = 0;
  for (int k = 0; k < 5; ++k) sum += s.row[k][lane];
  out[lane] = sum;
}

struct Words {
  alignas(16) float of[1024];
};

template <int Width>
LOUPE_KERNEL shared_reads_kernel(uint32_t mask, float* out, const int* place) {
  Words& words = shared_storage<Words>();
  const int lane = lane_id();
  for (int i = lane; i < 1024; i += kWarp) words.of[i] = static_cast<float>(i);
  sync_warp();
  if (mask >> lane & 1) out[lane] = load_vector<Width>(words.of + place[lane])[0];  // read
}

template <int Width>
LOUPE_KERNEL shared_writes_kernel(float* out, const int* place) {
  Words& words = shared_storage<Words>();
  const int lane = lane_id(), at = place[lane];
  Vector<float, Width> value;
  for (int i = 0; i < Width; ++i) value[i] = static_cast<float>(at + i);
  store_vector<Width>(words.of + at, value);  // write
  sync_warp();
  out[lane] = words.of[at];
}

}  // namespace

void transpose_tile(Stream stream, int pitch, float* out, const float* in) {
  launch({{1}, {32}, 32 * 33 * sizeof(float), stream}, transpose_tile_kernel, pitch, out, in);
}
void gather_strided(Stream stream, int stride, float* out, const float* in) {
  launch({{1}, {32}, 0, stream}, gather_strided_kernel, stride, out, in);
}
void copy_vectors(Stream stream, float* out, const float* in) {
  launch({{1}, {32}, 0, stream}, copy_vectors_kernel, out, in);
}
void padded_sums(Stream stream, float* out, const float* in) {
  launch({{1}, {32}, 0, stream}, padded_sums_kernel, out, in);
}
void ragged_loop(Stream stream, float* out, const float* in) {
  launch({{1}, {32}, 0, stream}, ragged_loop_kernel, out, in);
}
void ragged_inner_loop(Stream stream, float* out, const float* in) {
  launch({{1}, {32}, 0, stream}, ragged_inner_loop_kernel, out, in);
}
void two_sides(Stream stream, float* out, const float* in) {
  launch({{1}, {32}, 0, stream}, two_sides_kernel, out, in);
}
void early_return(Stream stream, int lanes, int count, float* out, const float* in) {
  launch({{1}, {static_cast<unsigned>(lanes)}, 0, stream}, early_return_kernel, count, out, in);
}
void zero_filled_copies(Stream stream, float* out, const float* in) {
  launch({{1}, {32}, 0, stream}, zero_filled_copies_kernel, out, in);
}
void shared_reads(Stream stream, int width, uint32_t mask, float* out, const int* place) {
  launch({{1}, {32}, 0, stream},
         width == 4   ? shared_reads_kernel<4>
         : width == 2 ? shared_reads_kernel<2>
                      : shared_reads_kernel<1>,
         mask, out, place);
}
void shared_writes(Stream stream, int width, float* out, const int* place) {
  launch({{1}, {32}, 0, stream},
         width == 4   ? shared_writes_kernel<4>
         : width == 2 ? shared_writes_kernel<2>
                      : shared_writes_kernel<1>,
         out, place);
}

LOUPE_EXPORT(transpose_tile);
LOUPE_EXPORT(gather_strided);
LOUPE_EXPORT(copy_vectors);
LOUPE_EXPORT(padded_sums);
LOUPE_EXPORT(ragged_loop);
LOUPE_EXPORT(ragged_inner_loop);
LOUPE_EXPORT(two_sides);
LOUPE_EXPORT(early_return);
LOUPE_EXPORT(zero_filled_copies);
LOUPE_EXPORT(shared_reads);
LOUPE_EXPORT(shared_writes);

}  // namespace loupe::LOUPE_TARGET
