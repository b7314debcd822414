// The vjps of attention on a GPU. A block has 64 queries and meets all keys (dL/dq), or 64 keys and meets all
// queries of their heads (dL/dk, dL/dv), or has a tile of both (dL/dbias) and adds up the images and heads
// that share the bias; so every sum is in one block, in the order of what it meets. D is made first, a float
// a query.
//
// Floor: 3 to 5 times Lq·Lk·d fused multiply-adds a head.
#include "kernels/attention/attention.h"
#include "kernels/attention/device_tiles.h"
#include "kernels/device/export.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarpsOfRows = 8;  // of a block of attention_d_kernel, a row each

// P or E of a tile whose rows begin at `row0` and columns at `column0`.
template <bool kQueriesAreRows>
LOUPE_DEVICE void make_tile(TileMemory& m, const DeviceHead& h, int row0, int column0, bool pattern_alone,
                            Part& e) {
  const int row = row0 + kPer * static_cast<int>(threadIdx.y),
            column = column0 + kPer * static_cast<int>(threadIdx.x);
  multiply(m, kQueriesAreRows ? h.q : h.k, row0, kQueriesAreRows ? h.k : h.q, column0, h.width, e);
  Part signal;
  if (!pattern_alone && h.g.first)
    multiply(m, kQueriesAreRows ? h.g : h.v, row0, kQueriesAreRows ? h.v : h.g, column0, h.width, signal);
  else
    clear(signal);
  LOUPE_UNROLL
  for (int r = 0; r < kPer; ++r) {
    LOUPE_UNROLL
    for (int c = 0; c < kPer; ++c) {
      const int i = kQueriesAreRows ? row + r : column + c, j = kQueriesAreRows ? column + c : row + r;
      const bool sees = h.sees(i, j);
      const float p = sees ? expf(h.score(i, j, e[r][c]) - h.record[i]) : 0.0f;
      if (!pattern_alone && sees) {
        const float more = h.g_pattern ? h.g_pattern[int64_t{i} * h.k.count + j] : 0.0f;
        e[r][c] = p * (signal[r][c] + more - h.d[i]);
      } else {
        e[r][c] = p;
      }
    }
  }
}

// D without the pattern's part: a warp a query.
LOUPE_KERNEL attention_d_kernel(AttentionSizes a, const float* y, const float* g, float* d) {
  const int64_t row = int64_t{blockIdx.x} * kWarpsOfRows + warp_id();
  if (row >= a.n * a.heads * a.queries) return;
  const int64_t n = row / a.queries / a.heads, h = row / a.queries % a.heads, i = row % a.queries;
  const int64_t start = ((n * a.queries + i) * a.heads + h) * a.width;
  float sum = 0;
  for (int64_t c = lane_id(); g && c < a.width; c += kWarp) sum = fused(g[start + c], y[start + c], sum);
  sum = warp_sum(sum);
  if (lane_id() == 0) d[row] = sum;
}

// Adds the pattern's part, of 64 queries.
LOUPE_KERNEL_FOR(kTileThreads, 1)
attention_d_of_pattern_kernel(AttentionSizes a, AttentionOperands<float> o, AttentionSignals<float> s,
                              float* d) {
  TileMemory& m = shared_storage<TileMemory>();
  const int64_t tiles = tiles_of(a.queries), map = blockIdx.x / tiles;
  const int i0 = static_cast<int>(blockIdx.x % tiles) * kTile;
  const DeviceHead h(a, o, s, d, map / a.heads, map % a.heads);
  const int row = i0 + kPer * static_cast<int>(threadIdx.y), column = kPer * static_cast<int>(threadIdx.x);
  float sum[kPer] = {};
  for (int j0 = 0; j0 < h.k.count; j0 += kTile) {
    Part p;
    make_tile<true>(m, h, i0, j0, true, p);
    for (int i = 0; i < kPer; ++i)
      for (int j = 0; j < kPer; ++j)
        if (row + i < h.q.count && j0 + column + j < h.k.count)
          sum[i] = fused(p[i][j], h.g_pattern[int64_t{row + i} * h.k.count + j0 + column + j], sum[i]);
  }
  for (int i = 0; i < kPer; ++i) {
    const float total = row_sum(sum[i]);
    if (column == 0 && row + i < h.q.count) d[map * a.queries + row + i] += total;
  }
}

template <int kChunks>
LOUPE_KERNEL_FOR(kTileThreads, 1)
attention_vjp_queries_kernel(AttentionSizes a, AttentionOperands<float> o, AttentionSignals<float> s,
                             const float* d, float* grad) {
  TileMemory& m = shared_storage<TileMemory>();
  const int64_t tiles = tiles_of(a.queries), map = blockIdx.x / tiles;
  const int i0 = static_cast<int>(blockIdx.x % tiles) * kTile;
  const DeviceHead h(a, o, s, d, map / a.heads, map % a.heads);
  Part sums[kChunks];
  for (Part& p : sums) clear(p);
  const int last = i0 + kTile - 1 + h.ahead, end = h.causal && last + 1 < h.k.count ? last + 1 : h.k.count;
  for (int j0 = 0; j0 < end; j0 += kTile) {
    Part e;
    make_tile<true>(m, h, i0, j0, false, e);
    put_weights(m, e);
    accumulate(m, h.k, j0, h.width, i0 + kPer * static_cast<int>(threadIdx.y) < h.q.count, sums);
  }
  const float factors[kPer] = {h.scale, h.scale, h.scale, h.scale};
  store_rows(sums, factors, i0, h.q.count, h.width, grad + (h.q.first - o.q), h.q.stride);
}

// dL/dk, or dL/dv.
template <int kChunks>
LOUPE_KERNEL_FOR(kTileThreads, 1)
attention_vjp_keys_kernel(AttentionSizes a, AttentionOperands<float> o, AttentionSignals<float> s,
                          const float* d, bool of_values, float* grad) {
  TileMemory& m = shared_storage<TileMemory>();
  const int64_t tiles = tiles_of(a.keys), map = blockIdx.x / tiles, n = map / a.kv_heads,
                kv = map % a.kv_heads;
  const int j0 = static_cast<int>(blockIdx.x % tiles) * kTile;
  Part sums[kChunks];
  for (Part& p : sums) clear(p);
  for (int64_t head = kv * a.group(); head < (kv + 1) * a.group(); ++head) {
    const DeviceHead h(a, o, s, d, n, head);
    const int first = h.causal && j0 > h.ahead ? (j0 - h.ahead) / kTile * kTile : 0;
    for (int i0 = first; i0 < h.q.count; i0 += kTile) {
      Part e;
      make_tile<false>(m, h, j0, i0, of_values, e);
      put_weights(m, e);
      accumulate(m, of_values ? h.g : h.q, i0, h.width, j0 + kPer * static_cast<int>(threadIdx.y) < h.k.count,
                 sums);
    }
  }
  const float scale = of_values ? 1.0f : static_cast<float>(a.scale);
  const float factors[kPer] = {scale, scale, scale, scale};
  store_rows(sums, factors, j0, static_cast<int>(a.keys), static_cast<int>(a.width),
             grad + (n * a.keys * a.kv_heads + kv) * a.width, a.kv_heads * a.width);
}

// Where the bias has one row for all queries, a block goes through all tiles of queries.
LOUPE_KERNEL_FOR(kTileThreads, 1)
attention_vjp_bias_kernel(AttentionSizes a, AttentionOperands<float> o, AttentionSignals<float> s,
                          const float* d, float* grad) {
  TileMemory& m = shared_storage<TileMemory>();
  const bool one_row = a.bias_size[2] == 1, all_images = a.bias_size[0] == 1, all_heads = a.bias_size[1] == 1;
  const int64_t key_tiles = tiles_of(a.keys), row_tiles = one_row ? 1 : tiles_of(a.queries);
  const int64_t map = blockIdx.x / key_tiles / row_tiles, n0 = map / a.bias_size[1],
                h0 = map % a.bias_size[1];
  const int j0 = static_cast<int>(blockIdx.x % key_tiles) * kTile, keys = static_cast<int>(a.keys);
  const int begin = static_cast<int>(blockIdx.x / key_tiles % row_tiles) * kTile;
  const int queries = static_cast<int>(a.queries), end = one_row ? queries : begin + 1;
  Part sum;
  clear(sum);
  for (int64_t n = all_images ? 0 : n0; n < (all_images ? a.n : n0 + 1); ++n)
    for (int64_t head = all_heads ? 0 : h0; head < (all_heads ? a.heads : h0 + 1); ++head)
      for (int i0 = begin; i0 < end; i0 += kTile) {
        Part e;
        make_tile<true>(m, DeviceHead(a, o, s, d, n, head), i0, j0, false, e);
        for (int i = 0; i < kPer; ++i)
          for (int j = 0; j < kPer; ++j) sum[i][j] += e[i][j];
      }
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  grad += map * a.bias_size[2] * a.keys;
  if (!one_row) {
    for (int i = 0; i < kPer; ++i)
      for (int j = 0; j < kPer; ++j) {
        const int row = begin + kPer * ty + i, column = j0 + kPer * tx + j;
        if (row < queries && column < keys) grad[row * a.keys + column] = sum[i][j];
      }
    return;
  }
  for (int j = 0; j < kPer; ++j) m.weights[ty][kPer * tx + j] = sum[0][j] + sum[1][j] + sum[2][j] + sum[3][j];
  sync_threads();
  const int column = thread_number();
  if (column >= kTile || j0 + column >= keys) return;
  float total = 0;
  for (int r = 0; r < kSide; ++r) total += m.weights[r][column];
  grad[j0 + column] = total;
}

}  // namespace

void attention_vjp(Stream stream, const AttentionSizes& a, const AttentionOperands<float>& o,
                   const AttentionSignals<float>& s, int operand, float* grad, float* d) {
  check_sizes(a);
  const auto tiles = [](int64_t length) { return (length + kTile - 1) / kTile; };
  const int64_t rows = a.n * a.heads * a.queries, query_tiles = a.n * a.heads * tiles(a.queries);
  const auto by_width = [&](auto one, auto two, auto four) {
    return a.width <= kTile ? one : a.width <= 2 * kTile ? two : four;
  };
  if (operand != 2) {
    launch({{blocks_for(rows, kWarpsOfRows)}, {kWarp * kWarpsOfRows}, 0, stream}, attention_d_kernel, a, s.y,
           s.g, d);
    if (s.g_pattern) launch(tile_blocks(stream, query_tiles), attention_d_of_pattern_kernel, a, o, s, d);
  }
  if (operand == 0)
    return launch(tile_blocks(stream, query_tiles),
                  by_width(attention_vjp_queries_kernel<1>, attention_vjp_queries_kernel<2>,
                           attention_vjp_queries_kernel<4>),
                  a, o, s, d, grad);
  if (operand == 3)
    return launch(tile_blocks(stream, a.bias_size[0] * a.bias_size[1] * tiles(a.keys) *
                                          (a.bias_size[2] == 1 ? 1 : tiles(a.queries))),
                  attention_vjp_bias_kernel, a, o, s, d, grad);
  launch(tile_blocks(stream, a.n * a.kv_heads * tiles(a.keys)),
         by_width(attention_vjp_keys_kernel<1>, attention_vjp_keys_kernel<2>, attention_vjp_keys_kernel<4>),
         a, o, s, d, operand == 2, grad);
}

LOUPE_EXPORT(attention_vjp);

}  // namespace loupe::LOUPE_TARGET
