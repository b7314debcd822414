// Attention on a GPU, forward: a block takes 64 queries of a head and goes through the keys in tiles of 64,
// with each query's running maximum and sum in the registers of the 16 threads that share it (Dao et al.
// 2022; the order of the loops is FlashAttention-2's). Scores and weights never leave the chip.
//
// Floor: q, k, v and y once, 4 bytes a number; 2·Lq·Lk·d fused multiply-adds a head.
#include "kernels/attention/attention.h"

#include "kernels/attention/device_tiles.h"
#include "kernels/device/export.h"

namespace loupe::LOUPE_TARGET {

namespace {

// The softmax so far of the four queries that a thread shares.
struct Running {
  float max[kPer], sum[kPer];
  LOUPE_DEVICE Running() {
    for (int i = 0; i < kPer; ++i) {
      max[i] = minus_infinity();
      sum[i] = 0;
    }
  }

  // Takes in scores, which become exp(score − largest), and scales what was added up before.
  template <int kChunks>
  LOUPE_DEVICE void take(Part& part, Part (&sums)[kChunks]) {
    LOUPE_UNROLL
    for (int i = 0; i < kPer; ++i) {
      float largest = part[i][0];
      for (int j = 1; j < kPer; ++j) largest = max_nan(part[i][j], largest);
      largest = max_nan(row_max(largest), max[i]);
      // Where all is masked so far, exp(−∞ − 0) is the 0 that exp(−∞ + ∞) is not.
      const float finite = largest == minus_infinity() ? 0 : largest;
      const float factor = expf(max[i] - finite);
      float own = 0;
      LOUPE_UNROLL
      for (int j = 0; j < kPer; ++j) own += part[i][j] = expf(part[i][j] - finite);
      sum[i] = sum[i] * factor + row_sum(own);
      max[i] = largest;
      LOUPE_UNROLL
      for (int k = 0; k < kChunks; ++k) {
        LOUPE_UNROLL
        for (int c = 0; c < kPer; ++c) sums[k][i][c] *= factor;
      }
    }
  }
};

// The pattern of the block's queries, from their record.
LOUPE_DEVICE void store_pattern(TileMemory& m, const DeviceHead& h, int i0, const float (&logs)[kPer],
                                float* pattern) {
  const int row = i0 + kPer * static_cast<int>(threadIdx.y), column = kPer * static_cast<int>(threadIdx.x);
  for (int j0 = 0; j0 < h.k.count; j0 += kTile) {
    Part part;
    multiply(m, h.q, i0, h.k, j0, h.width, part);
    LOUPE_UNROLL
    for (int i = 0; i < kPer; ++i) {
      LOUPE_UNROLL
      for (int j = 0; j < kPer; ++j)
        if (row + i < h.q.count && j0 + column + j < h.k.count)
          pattern[int64_t{row + i} * h.k.count + j0 + column + j] =
              expf(h.score(row + i, j0 + column + j, part[i][j]) - logs[i]);
    }
  }
}

template <int kChunks>
LOUPE_KERNEL_FOR(kTileThreads, 1)
attention_kernel(AttentionSizes a, AttentionOperands<float> o, float* y, float* pattern, float* record) {
  TileMemory& m = shared_storage<TileMemory>();
  const int64_t tiles = tiles_of(a.queries), map = blockIdx.x / tiles, n = map / a.heads,
                head = map % a.heads;
  const int i0 = static_cast<int>(blockIdx.x % tiles) * kTile;
  const DeviceHead h(a, o, {}, nullptr, n, head);
  const int row = i0 + kPer * static_cast<int>(threadIdx.y), column = kPer * static_cast<int>(threadIdx.x);
  Running running;
  Part sums[kChunks];
  for (Part& s : sums) clear(s);
  const int last = i0 + kTile - 1 + h.ahead, end = h.causal && last + 1 < h.k.count ? last + 1 : h.k.count;
  for (int j0 = 0; j0 < end; j0 += kTile) {
    Part part;
    multiply(m, h.q, i0, h.k, j0, h.width, part);
    LOUPE_UNROLL
    for (int i = 0; i < kPer; ++i) {
      LOUPE_UNROLL
      for (int j = 0; j < kPer; ++j) part[i][j] = h.score(row + i, j0 + column + j, part[i][j]);
    }
    running.take(part, sums);
    put_weights(m, part);
    accumulate(m, h.v, j0, h.width, row < h.q.count, sums);
  }
  float shares[kPer], logs[kPer];
  LOUPE_UNROLL
  for (int i = 0; i < kPer; ++i) {
    const bool seen = running.sum[i] != 0;  // else every key is masked
    shares[i] = seen ? 1 / running.sum[i] : 0.0f;
    logs[i] = seen ? running.max[i] + logf(running.sum[i]) : 0.0f;
    if (record && column == 0 && row + i < h.q.count) record[map * a.queries + row + i] = logs[i];
  }
  if (y) store_rows(sums, shares, i0, h.q.count, h.width, y + (h.q.first - o.q), h.q.stride);
  if (pattern) store_pattern(m, h, i0, logs, pattern + map * a.queries * a.keys);
}

}  // namespace

void attention(Stream stream, const AttentionSizes& a, const AttentionOperands<float>& o, float* y,
               float* pattern, float* record) {
  check_sizes(a);
  const auto kernel = a.width <= kTile       ? attention_kernel<1>
                      : a.width <= 2 * kTile ? attention_kernel<2>
                                             : attention_kernel<4>;
  launch(tile_blocks(stream, a.n * a.heads * ((a.queries + kTile - 1) / kTile)), kernel, a, o, y, pattern,
         record);
}

LOUPE_EXPORT(attention);

}  // namespace loupe::LOUPE_TARGET
