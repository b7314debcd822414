// attention_statistics: what is asked of attention's pattern P, without the pattern. Of an image n, a head h and a query
// i, with P as kernels/attention has it:
//
//   log_sum     L_i = log Σ_j exp(s_ij): attention's record
//   entropy     −Σ_j P_ij log P_ij                nats
//   distance    Σ_j P_ij |i − j|                  positions
//   previous    P at j = i − 1                    0 of the first query
//   first       P at j = 0
//   duplicate   P at j = e_i                      e_i an operand: where the token of i stood before, or −1: then 0
//   induction   P at j = e_i + 1                  what followed it there (Olsson et al. 2022)
//   and of each set g of keys Σ_j P_ij [set_j = g]
//
// Besides, the profile: of each offset o = i − j the mean of P over the queries that have such a key.
//
// Keys are taken in tiles, twice: once for L_i, and once for what hangs on P = exp(s − L). Nothing larger than a tile is
// kept, and the sums are in the order of the keys (of the profile: of the queries), whatever the tiles and the batch.
// Nothing is passed back.
#pragma once
#include <cstdint>

#include "kernels/attention/attention.h"

namespace loupe {

struct AttentionStatistics {
  int64_t heads = 1;
  int64_t kv_heads = 0;  // as Attention's
  bool causal = false;
  double scale = 0;      // as Attention's
  int64_t sets = 0;      // of keys, at most kMostSets
  bool padding = false;  // an operand says which keys there are
};

/// Rows of the first output, in their order; sets follow.
enum class Statistic : uint8_t { log_sum, entropy, distance, previous, first, duplicate, induction };
inline constexpr int64_t kStatistics = 7, kMostSets = 8;

/// Graph node: q (N, L, heads·d), k (N, L, kv_heads·d) and e (N, L) i32, then, as configured, the set of each key (N, L)
/// i32, a number outside 0 … sets − 1 for none, and padding (N, L) u8, 0 for keys that nobody sees. Outputs: statistics
/// (N, heads, 7 + sets, L), and the profile (N, heads, 2L − 1), offset o at o + L − 1; queries that are padding do not
/// count in it. On a device d is at most 256. Throws UsageError for a configuration or shapes that do not fit.
OpPtr attention_statistics(AttentionStatistics attributes);

/// What the kernels read besides q, k and padding, and where results go.
struct StatisticsArrays {
  const int32_t *earlier, *set;  // set may be null
  int64_t sets;
  constexpr int64_t rows() const { return kStatistics + sets; }
};

// rows and profile may be null: not wanted.
namespace ref {
template <typename T>
void attention_statistics(const AttentionSizes& a, const AttentionOperands<T>& o, const StatisticsArrays& s,
                          T* rows, T* profile);
}  // namespace ref

namespace cpu {
void attention_statistics(const AttentionSizes& a, const AttentionOperands<float>& o,
                          const StatisticsArrays& s, float* rows, float* profile, float* workspace);
/// Floats.
int64_t attention_statistics_workspace(const AttentionSizes& a);
}  // namespace cpu

namespace device {  // attention_statistics.cu
/// log_sums: a float for each image, head and query.
inline constexpr DeviceFunction<void(const AttentionSizes& a, const AttentionOperands<float>& o,
                                     const StatisticsArrays& s, float* rows, float* profile, float* log_sums)>
    attention_statistics{"attention_statistics"};
}  // namespace device

}  // namespace loupe
