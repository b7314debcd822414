// Statistics of attention on a GPU. A warp has a query, and its lanes every 32nd key: once for the largest score and the
// sum, once for what hangs on the pattern. For the profile a warp has an offset, and its lanes every 32nd query. Scores are
// computed anew each time. Lanes are added up in a fixed order.
//
// Floor: three times L²·d fused multiply-adds a head (of the whole square; half of it where attention is causal).
#include "kernels/attention_statistics/attention_statistics.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 8;  // of a block

struct StatisticsHead {
  const float *q, *k;
  const uint8_t* padding;
  int64_t q_stride, k_stride;
  int length, width;
  bool causal;
  float scale;

  LOUPE_DEVICE StatisticsHead(const AttentionSizes& a, const AttentionOperands<float>& o, int64_t n,
                              int64_t h)
      : q(o.q + (n * a.queries * a.heads + h) * a.width),
        k(o.k + (n * a.keys * a.kv_heads + h / a.group()) * a.width),
        padding(o.padding ? o.padding + n * a.keys : nullptr),
        q_stride(a.heads * a.width),
        k_stride(a.kv_heads * a.width),
        length(static_cast<int>(a.queries)),
        width(static_cast<int>(a.width)),
        causal(a.causal),
        scale(static_cast<float>(a.scale)) {}

  LOUPE_DEVICE float score(int i, int j) const {
    if ((causal && j > i) || (padding && !padding[j])) return minus_infinity();
    float dot = 0;
    for (int c = 0; c < width; ++c) dot = fmaf(q[i * q_stride + c], k[j * k_stride + c], dot);
    return scale * dot;
  }
};

LOUPE_KERNEL statistics_kernel(AttentionSizes a, AttentionOperands<float> o, StatisticsArrays s, float* rows,
                               float* log_sums) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + warp_id();
  if (row >= a.n * a.heads * a.queries) return;
  const int64_t map = row / a.queries, n = map / a.heads;
  const int i = static_cast<int>(row % a.queries), lane = lane_id();
  const StatisticsHead h(a, o, n, map % a.heads);
  const int end = h.causal ? i + 1 : h.length;
  float max = minus_infinity(), sum = 0;
  for (int j = lane; j < end; j += kWarp) max = max_nan(h.score(i, j), max);
  max = warp_max(max);
  const float finite = max == minus_infinity() ? 0 : max;
  for (int j = lane; j < end; j += kWarp) sum += expf(h.score(i, j) - finite);
  sum = warp_sum(sum);
  const float log_sum = sum != 0 ? finite + logf(sum) : 0.0f;

  float found[kStatistics] = {}, mass[kMostSets] = {};
  const int64_t earlier = s.earlier[n * a.queries + i];
  for (int j = lane; j < end; j += kWarp) {
    const float score = h.score(i, j), p = expf(score - log_sum);
    if (p > 0) found[static_cast<int>(Statistic::entropy)] += p * (log_sum - score);
    found[static_cast<int>(Statistic::distance)] += p * static_cast<float>(i < j ? j - i : i - j);
    if (j == i - 1) found[static_cast<int>(Statistic::previous)] = p;
    if (j == 0) found[static_cast<int>(Statistic::first)] = p;
    if (earlier >= 0 && j == earlier) found[static_cast<int>(Statistic::duplicate)] = p;
    if (earlier >= 0 && j == earlier + 1) found[static_cast<int>(Statistic::induction)] = p;
    if (s.set)
      for (int g = 0; g < kMostSets; ++g)
        if (g < s.sets && s.set[n * a.keys + j] == g) mass[g] += p;
  }
  if (lane == 0) log_sums[row] = log_sum;
  if (!rows) return;
  float* to = rows + map * s.rows() * a.queries + i;
  for (int r = 1; r < kStatistics; ++r) {
    const float all = warp_sum(found[r]);
    if (lane == 0) to[r * a.queries] = all;
  }
  for (int g = 0; g < kMostSets; ++g) {
    const float all = warp_sum(mass[g]);
    if (lane == 0 && g < s.sets) to[(kStatistics + g) * a.queries] = all;
  }
  if (lane == 0) to[0] = log_sum;
}

LOUPE_KERNEL profile_kernel(AttentionSizes a, AttentionOperands<float> o, const float* log_sums,
                            float* profile) {
  const int64_t offsets = 2 * a.queries - 1, at = int64_t{blockIdx.x} * kWarps + warp_id();
  if (at >= a.n * a.heads * offsets) return;
  const int64_t map = at / offsets;
  const int offset = static_cast<int>(at % offsets - (a.queries - 1));
  const StatisticsHead h(a, o, map / a.heads, map % a.heads);
  const int begin = offset > 0 ? offset : 0, end = offset < 0 ? h.length + offset : h.length;
  float sum = 0, count = 0;
  for (int i = begin + lane_id(); i < end; i += kWarp) {
    if (h.padding && !h.padding[i]) continue;
    sum += expf(h.score(i, i - offset) - log_sums[map * a.queries + i]);
    count += 1;
  }
  sum = warp_sum(sum);
  count = warp_sum(count);
  if (lane_id() == 0) profile[at] = count > 0 ? sum / count : 0.0f;
}

}  // namespace

void attention_statistics(Stream stream, const AttentionSizes& a, const AttentionOperands<float>& o,
                          const StatisticsArrays& s, float* rows, float* profile, float* log_sums) {
  const int64_t maps = a.n * a.heads;
  launch({{blocks_for(maps * a.queries, kWarps)}, {kWarp * kWarps}, 0, stream}, statistics_kernel, a, o, s,
         rows, log_sums);
  if (profile)
    launch({{blocks_for(maps * (2 * a.queries - 1), kWarps)}, {kWarp * kWarps}, 0, stream}, profile_kernel, a,
           o, static_cast<const float*>(log_sums), profile);
}

LOUPE_EXPORT(attention_statistics);

}  // namespace loupe::LOUPE_TARGET
