// Attention on the CPU, forward: a task is sixteen queries of a head, which meet the keys in blocks of 48.
// The queries' panel, their y so far and a block's scores (64-wide heads: 11 KiB) stay in the L1 cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention/attention.cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "kernels/attention/tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

// y (stride apart; or null), the pattern's rows (or null) and the record of sixteen queries.
void AttentionTask(const Scene& s, const Rows& q, const Rows& k, const Rows& v, int64_t width, int64_t end,
                   const cpu::Scratch& scratch, float* y, float* pattern, float* record) {
  float *queries = scratch.panel[0], *sums = scratch.panel[1], *tile = scratch.tile[0];
  pack(q.part(s.lane, s.lanes), width, queries);
  std::fill(sums, sums + width * kBlock, 0.0f);
  Running running;
  for (int64_t j = 0; j < end; j += kRows) {
    const int64_t count = std::min(kRows, end - j);
    products(k.part(j, count), width, queries, tile);
    finish_scores(s, j, count, tile);
    const Block factor = running.take(tile, count);
    for (int64_t c = 0; c < width; ++c) store(mul(load(sums + c * kBlock), factor), sums + c * kBlock);
    accumulate(v.part(j, count), width, tile, sums);
  }
  float max[kBlock], sum[kBlock], shares[kBlock], logs[kBlock];
  store(running.max, max);
  store(running.sum, sum);
  for (int64_t l = 0; l < kBlock; ++l) {
    shares[l] = sum[l] == 0 ? 0.0f : 1 / sum[l];  // 0: every key is masked
    logs[l] = sum[l] == 0 ? 0.0f : static_cast<float>(double{max[l]} + std::log(double{sum[l]}));
  }
  if (y) unpack(sums, shares, width, s.lanes, y, q.stride);
  if (record) std::copy_n(logs, s.lanes, record);
  if (!pattern) return;
  for (int64_t j = 0; j < k.count; j += kRows) {
    const int64_t count = std::min(kRows, k.count - j);
    products(k.part(j, count), width, queries, tile);
    finish_scores(s, j, count, tile);
    for (int64_t r = 0; r < count; ++r)
      store(exponential(subtract(load(tile + r * kBlock), load(logs))), tile + r * kBlock);
    for (int64_t l = 0; l < s.lanes; ++l)
      for (int64_t r = 0; r < count; ++r) pattern[l * k.count + j + r] = tile[r * kBlock + l];
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(AttentionTask);

int64_t attention_workspace(const AttentionSizes& a) {
  const int64_t rows = round_up(a.n * a.heads * a.queries, kBlock);  // a float each: D, of the vjps
  return rows + kPieces * Scratch::floats(a.width);
}

void attention(const AttentionSizes& a, const AttentionOperands<float>& o, float* y, float* pattern,
               float* record, float* workspace) {
  const auto run = HWY_DYNAMIC_DISPATCH(AttentionTask);
  const int64_t blocks_of_queries = blocks(a.queries), d = a.width;
  for_each_task(a.n * a.heads * blocks_of_queries, d, workspace, [&](int64_t task, const Scratch& scratch) {
    const int64_t n = task / blocks_of_queries / a.heads, h = task / blocks_of_queries % a.heads;
    const int64_t first = task % blocks_of_queries * kBlock, row = (n * a.heads + h) * a.queries + first;
    const Rows q = rows_of(o.q, n, h, a.queries, a.heads, d);
    const Rows k = rows_of(o.k, n, h / a.group(), a.keys, a.kv_heads, d);
    const Rows v = rows_of(o.v, n, h / a.group(), a.keys, a.kv_heads, d);
    run(Scene(a, o, n, h, true, first), q, k, v, d, keys_end(a, first), scratch,
        y ? y + (q.at(first) - o.q) : nullptr, pattern ? pattern + row * a.keys : nullptr,
        record ? record + row : nullptr);
  });
}

}  // namespace loupe::cpu
#endif
