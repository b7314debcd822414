// Attention on the CPU: how one image and head look from sixteen lanes, which hold queries or keys; and how
// the work is cut.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/attention/attention.h"
#include "kernels/common/parallel.h"

namespace loupe::cpu {

inline constexpr int64_t kRows =
    48;  // of a tile: keys that sixteen queries meet at once, or the other way round
inline constexpr int64_t kPieces = 32;  // of a call: tasks, each with memory of its own

/// Rows of `width` numbers that lie `stride` apart.
struct Rows {
  const float* first;
  int64_t stride, count;
  const float* at(int64_t r) const { return first + r * stride; }
  Rows part(int64_t begin, int64_t n) const { return {at(begin), stride, n}; }
};

/// Queries or keys of one head of one image.
inline Rows rows_of(const float* x, int64_t image, int64_t head, int64_t length, int64_t heads,
                    int64_t width) {
  return {x + (image * length * heads + head) * width, heads * width, length};
}

struct Scene {
  bool queries_in_lanes;
  int64_t lane, lanes;  // the first lane's query or key, and how many there are
  float scale;
  bool causal;
  int64_t ahead;           // AttentionSizes::ahead()
  const uint8_t* padding;  // of the image's keys; or null
  const float* bias;       // of image and head; or null
  int64_t bias_row, bias_lane, pattern_row, pattern_lane;

  Scene(const AttentionSizes& a, const AttentionOperands<float>& o, int64_t image, int64_t head, bool queries,
        int64_t first)
      : queries_in_lanes(queries),
        lane(first),
        lanes(std::min(kBlock, (queries ? a.queries : a.keys) - first)),
        scale(static_cast<float>(a.scale)),
        causal(a.causal),
        ahead(a.ahead()),
        padding(o.padding ? o.padding + image * a.keys : nullptr),
        bias(o.bias ? o.bias + image * a.bias_stride[0] + head * a.bias_stride[1] : nullptr),
        bias_row(a.bias_stride[queries ? 3 : 2]),
        bias_lane(a.bias_stride[queries ? 2 : 3]),
        pattern_row(queries ? 1 : a.keys),
        pattern_lane(queries ? a.keys : 1) {}

  /// Bit l: that row and lane l see each other.
  uint16_t sees(int64_t row) const {
    uint32_t bits = 0xffff;
    if (causal && queries_in_lanes)  // those from query row − ahead on
      bits <<= std::clamp<int64_t>(row - ahead - lane, 0, kBlock);
    else if (causal)  // the keys up to row + ahead
      bits >>= kBlock - std::clamp<int64_t>(row + ahead - lane + 1, 0, kBlock);
    if (!padding) return static_cast<uint16_t>(bits);
    if (queries_in_lanes) return padding[row] ? static_cast<uint16_t>(bits) : uint16_t{0};
    for (int64_t l = 0; l < lanes; ++l)
      if (!padding[lane + l]) bits &= ~(1u << l);
    return static_cast<uint16_t>(bits);
  }
};

/// The keys that any of sixteen queries from `first` on sees end here.
inline int64_t keys_end(const AttentionSizes& a, int64_t first) {
  const int64_t last = std::min(first + kBlock, a.queries) - 1;
  return a.causal ? std::clamp<int64_t>(last + a.ahead() + 1, 0, a.keys) : a.keys;
}
/// The queries that see any of sixteen keys from `first` on begin here.
inline int64_t queries_begin(const AttentionSizes& a, int64_t first) {
  return a.causal ? std::clamp<int64_t>(first - a.ahead(), 0, a.queries) : 0;
}

/// A task's memory: panels of `width` times sixteen numbers, and tiles of kRows times sixteen.
struct Scratch {
  float *panel[3], *tile[2];
  static int64_t floats(int64_t width) { return (3 * width + 2 * kRows) * kBlock; }
  Scratch(float* memory, int64_t width) {
    for (float*& p : panel) {
      p = memory;
      memory += width * kBlock;
    }
    for (float*& t : tile) {
      t = memory;
      memory += kRows * kBlock;
    }
  }
};

/// Calls body(task, scratch) for each of the tasks, in pieces, each of which has its own scratch.
template <typename Body>
void for_each_task(int64_t tasks, int64_t width, float* workspace, const Body& body) {
  const int64_t pieces = std::min(kPieces, tasks);
  parallel_for(pieces, [&](int64_t piece) {
    const Scratch scratch(workspace + piece * Scratch::floats(width), width);
    for (int64_t task = tasks * piece / pieces; task < tasks * (piece + 1) / pieces; ++task)
      body(task, scratch);
  });
}

}  // namespace loupe::cpu
