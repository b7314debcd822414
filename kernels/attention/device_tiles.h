// Tiles of attention on a device. A block of 16×16 threads holds a tile of 64×64 scores in registers, 4×4 a
// thread: thread (tx, ty) has rows 4·ty … and columns 4·tx …. Rows and columns are queries and keys, or the
// other way round, and are brought into shared memory 32 numbers at a time, so that any width does.
#pragma once
#include "kernels/attention/attention.h"
#include "kernels/device/cells.h"
#include "kernels/device/math.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

constexpr int kSide = 16, kPer = 4, kTile = kSide * kPer, kDepth = 32;
constexpr int kTileThreads = kSide * kSide;
constexpr int kPitch =
    kTile + 4;  // of a row in shared memory: other banks for the next one, and whole vectors

struct TileMemory {
  float a[kDepth][kPitch], b[kDepth][kPitch];
  float weights[kTile][kPitch];  // [column][row]
};

/// A thread's part of a tile.
using Part = float[kPer][kPer];

/// Queries or keys of one head, `stride` apart. A null `first` stands for zeros.
struct HeadRows {
  const float* first;
  int64_t stride;
  int count;
  LOUPE_DEVICE float at(int row, int c, int width) const {
    return row < count && c < width ? first[row * stride + c] : 0.0f;
  }
};

/// One head of one image.
struct DeviceHead {
  HeadRows q, k, v, g;
  const float *bias, *g_pattern, *record, *d;  // bias and g_pattern may be null
  const uint8_t* padding;                      // or null
  int64_t bias_query, bias_key;
  int width, ahead;
  bool causal;
  float scale;

  LOUPE_DEVICE DeviceHead(const AttentionSizes& a, const AttentionOperands<float>& o,
                          const AttentionSignals<float>& s, const float* all_d, int64_t n, int64_t h)
      : bias(o.bias ? o.bias + n * a.bias_stride[0] + h * a.bias_stride[1] : nullptr),
        padding(o.padding ? o.padding + n * a.keys : nullptr),
        bias_query(a.bias_stride[2]),
        bias_key(a.bias_stride[3]),
        width(static_cast<int>(a.width)),
        ahead(static_cast<int>(a.ahead())),
        causal(a.causal),
        scale(static_cast<float>(a.scale)) {
    const int64_t query = (n * a.queries * a.heads + h) * a.width, row = (n * a.heads + h) * a.queries;
    const int64_t key = (n * a.keys * a.kv_heads + h / a.group()) * a.width;
    q = {o.q + query, a.heads * a.width, static_cast<int>(a.queries)};
    k = {o.k + key, a.kv_heads * a.width, static_cast<int>(a.keys)};
    v = {o.v ? o.v + key : nullptr, k.stride, k.count};
    g = {s.g ? s.g + query : nullptr, q.stride, q.count};
    g_pattern = s.g_pattern ? s.g_pattern + row * a.keys : nullptr;
    record = s.record ? s.record + row : nullptr;
    d = all_d ? all_d + row : nullptr;
  }

  LOUPE_DEVICE bool sees(int i, int j) const {
    return i < q.count && j < k.count && (!causal || j <= i + ahead) && (!padding || padding[j]);
  }
  /// Of a product q·k; −∞ where query i does not see key j.
  LOUPE_DEVICE float score(int i, int j, float product) const {
    if (!sees(i, j)) return minus_infinity();
    return fused(product, scale, bias ? bias[i * bias_query + j * bias_key] : 0.0f);
  }
};

LOUPE_DEVICE void clear(Part& part) {
  for (auto& row : part)
    for (float& x : row) x = 0;
}

/// sum[i][j] += a[i] · b[j]
LOUPE_DEVICE void add_products(const Float4& a, const Float4& b, Part& sum) {
  LOUPE_UNROLL
  for (int i = 0; i < kPer; ++i) {
    LOUPE_UNROLL
    for (int j = 0; j < kPer; ++j) sum[i][j] = fused(a[i], b[j], sum[i][j]);
  }
}

/// sum[i][j] = Σ_c x.at(x0 + 4·ty + i)[c] · y.at(y0 + 4·tx + j)[c], in the order of c; zero where a thread's
/// rows or columns are beyond the last ones. Every thread takes part.
LOUPE_DEVICE void multiply(TileMemory& m, const HeadRows& x, int x0, const HeadRows& y, int y0, int width,
                           Part& sum) {
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y), me = thread_number();
  const bool exists = x0 + kPer * ty < x.count && y0 + kPer * tx < y.count;
  clear(sum);
  for (int c0 = 0; c0 < width; c0 += kDepth) {
    const int depth = width - c0 < kDepth ? width - c0 : kDepth;
    sync_threads();  // what was there has been read
    for (int e = me; e < kTile * kDepth; e += kTileThreads) {
      const int row = e / kDepth, c = e % kDepth;
      if (c >= depth) continue;
      m.a[c][row] = x.at(x0 + row, c0 + c, width);
      m.b[c][row] = y.at(y0 + row, c0 + c, width);
    }
    sync_threads();
    for (int c = 0; exists && c < depth; ++c)
      add_products(load_vector<kPer>(&m.a[c][kPer * ty]), load_vector<kPer>(&m.b[c][kPer * tx]), sum);
  }
}

/// Hands a thread's part to accumulate().
LOUPE_DEVICE void put_weights(TileMemory& m, const Part& part) {
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  for (int j = 0; j < kPer; ++j) {
    Float4 column;
    for (int i = 0; i < kPer; ++i) column[i] = part[i][j];
    store_vector(&m.weights[kPer * tx + j][kPer * ty], column);
  }
}

/// sum[k][i][c] += Σ_r weights[r][4·ty + i] · y.at(y0 + r)[64·k + 4·tx + c], r < 64 in order, as far as there
/// are rows, of the threads that want it. Every thread takes part, each after put_weights().
template <int kChunks>
LOUPE_DEVICE void accumulate(TileMemory& m, const HeadRows& y, int y0, int width, bool wanted,
                             Part (&sum)[kChunks]) {
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y), me = thread_number();
  for (int r0 = 0; r0 < kTile && y0 + r0 < y.count; r0 += kDepth) {
    const int left = y.count - y0 - r0, rows = left < kDepth ? left : kDepth;
    LOUPE_UNROLL
    for (int k = 0; k < kChunks; ++k) {
      if (k * kTile >= width) break;
      const bool exists = wanted && k * kTile + kPer * tx < width;
      sync_threads();  // weights are there, and what was in b has been read
      for (int e = me; e < rows * kTile; e += kTileThreads)
        m.b[e / kTile][e % kTile] = y.at(y0 + r0 + e / kTile, k * kTile + e % kTile, width);
      sync_threads();
      for (int r = 0; exists && r < rows; ++r)
        add_products(load_vector<kPer>(&m.weights[r0 + r][kPer * ty]), load_vector<kPer>(&m.b[r][kPer * tx]),
                     sum[k]);
    }
  }
}

/// Sums of kChunks·64 columns, times each row's factor, to rows `stride` apart.
template <int kChunks>
LOUPE_DEVICE void store_rows(const Part (&sum)[kChunks], const float (&factor)[kPer], int row0, int rows,
                             int width, float* to, int64_t stride) {
  const int column = kPer * static_cast<int>(threadIdx.x), row = row0 + kPer * static_cast<int>(threadIdx.y);
  LOUPE_UNROLL
  for (int k = 0; k < kChunks; ++k) {
    LOUPE_UNROLL
    for (int i = 0; i < kPer; ++i) {
      LOUPE_UNROLL
      for (int c = 0; c < kPer; ++c) {
        const int at = k * kTile + column + c;
        if (row + i < rows && at < width) to[(row + i) * stride + at] = sum[k][i][c] * factor[i];
      }
    }
  }
}

/// Of the 16 threads that share a row.
LOUPE_DEVICE float row_max(float x) {
  for (int bits = kSide / 2; bits > 0; bits /= 2) x = max_nan(shuffle_xor(x, bits), x);
  return x;
}
LOUPE_DEVICE float row_sum(float x) {
  for (int bits = kSide / 2; bits > 0; bits /= 2) x += shuffle_xor(x, bits);
  return x;
}

/// Tiles of a length.
LOUPE_DEVICE int64_t tiles_of(int64_t length) { return (length + kTile - 1) / kTile; }

/// Blocks of a tile's threads, `count` of them.
inline Launch tile_blocks(Stream stream, int64_t count) {
  return {{blocks_for(count, 1)}, {kSide, kSide}, 0, stream};
}

/// Refuses what a kernel's 32-bit counts cannot hold.
inline void check_sizes(const AttentionSizes& a) {
  small(a.queries);
  small(a.keys);
  if (a.width > device::kAttentionWidth) throw Failure("a head is wider than 256");
}

}  // namespace loupe::LOUPE_TARGET
