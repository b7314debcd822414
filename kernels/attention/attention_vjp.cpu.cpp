// The vjps of attention on the CPU. dL/dq is a task of sixteen queries that meet all keys; dL/dk and dL/dv
// are tasks of sixteen keys that meet all queries of their heads; dL/dbias is one of 48 queries and sixteen
// keys, over all the images and heads that share a bias. D, which all but dL/dv need, is made first, a float
// a query.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention/attention_vjp.cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "kernels/attention/tiles-inl.h"

#ifndef LOUPE_ATTENTION_VJP_HEAD
#define LOUPE_ATTENTION_VJP_HEAD
namespace loupe::cpu {
namespace {

// What one head of one image is made of; y and g are like q, and a null `first` means zero, as does a null
// g_pattern.
struct Head {
  Rows q, k, v, y, g;
  const float *g_pattern, *record;
  float* d;
  int64_t width;
  float scale;

  Head(const AttentionSizes& a, const AttentionOperands<float>& o, const AttentionSignals<float>& s,
       float* all_d, int64_t n, int64_t h)
      : q(rows_of(o.q, n, h, a.queries, a.heads, a.width)),
        k(rows_of(o.k, n, h / a.group(), a.keys, a.kv_heads, a.width)),
        v(k),
        y(q),
        g(q),
        width(a.width),
        scale(static_cast<float>(a.scale)) {
    const int64_t row = (n * a.heads + h) * a.queries;
    v.first = o.v ? o.v + (k.first - o.k) : nullptr;
    y.first = s.y ? s.y + (q.first - o.q) : nullptr;
    g.first = s.g ? s.g + (q.first - o.q) : nullptr;
    g_pattern = s.g_pattern ? s.g_pattern + row * a.keys : nullptr;
    record = s.record + row;
    d = all_d + row;
  }
};

}  // namespace
}  // namespace loupe::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

// P of sixteen queries and the keys j …, into `tile`.
HWY_INLINE void pattern_of_queries(const Scene& s, const cpu::Head& h, int64_t j, int64_t count,
                                   const float* queries, const Block& record, float* tile) {
  products(h.k.part(j, count), h.width, queries, tile);
  finish_scores(s, j, count, tile);
  for (int64_t r = 0; r < count; ++r)
    store(exponential(subtract(load(tile + r * kBlock), record)), tile + r * kBlock);
}

// A number of each of the scene's lanes.
HWY_INLINE Block of_lanes(const Scene& s, const float* numbers) {
  float lanes[kBlock] = {};
  std::copy_n(numbers + s.lane, s.lanes, lanes);
  return load(lanes);
}

// D of sixteen queries.
void AttentionD(const Scene& s, const cpu::Head& h, int64_t end, const cpu::Scratch& scratch) {
  Block sum = fill(0.0f);
  if (h.g.first) {
    float *g = scratch.panel[0], *y = scratch.panel[1];
    pack(h.g.part(s.lane, s.lanes), h.width, g);
    pack(h.y.part(s.lane, s.lanes), h.width, y);
    for (int64_t c = 0; c < h.width; ++c) sum = fma(load(g + c * kBlock), load(y + c * kBlock), sum);
  }
  if (h.g_pattern) {
    float *queries = scratch.panel[0], *tile = scratch.tile[0], *signal = scratch.tile[1];
    pack(h.q.part(s.lane, s.lanes), h.width, queries);
    const Block record = of_lanes(s, h.record);
    for (int64_t j = 0; j < end; j += kRows) {
      const int64_t count = std::min(kRows, end - j);
      pattern_of_queries(s, h, j, count, queries, record, tile);
      std::fill(signal, signal + count * kBlock, 0.0f);
      add_pattern_signal(s, h.g_pattern, j, count, signal);
      for (int64_t r = 0; r < count; ++r) sum = fma(load(tile + r * kBlock), load(signal + r * kBlock), sum);
    }
  }
  float lanes[kBlock];
  store(sum, lanes);
  std::copy_n(lanes, s.lanes, h.d + s.lane);
}

// dL/dP of the rows `first` …, whose numbers meet the lanes' panel: g and v, one of them in rows.
HWY_INLINE void pattern_signal(const Scene& s, const cpu::Head& h, const Rows& rows, const float* panel,
                               int64_t first, float* tile) {
  if (h.g.first)
    products(rows, h.width, panel, tile);
  else
    std::fill(tile, tile + rows.count * kBlock, 0.0f);
  if (h.g_pattern) add_pattern_signal(s, h.g_pattern, first, rows.count, tile);
}

// dL/dq of sixteen queries, into `grad`.
void AttentionVjpQueries(const Scene& s, const cpu::Head& h, int64_t end, const cpu::Scratch& scratch,
                         float* grad) {
  float *queries = scratch.panel[0], *g = scratch.panel[1], *sums = scratch.panel[2];
  float *tile = scratch.tile[0], *signal = scratch.tile[1];
  pack(h.q.part(s.lane, s.lanes), h.width, queries);
  if (h.g.first) pack(h.g.part(s.lane, s.lanes), h.width, g);
  std::fill(sums, sums + h.width * kBlock, 0.0f);
  const Block record = of_lanes(s, h.record), d = of_lanes(s, h.d);
  for (int64_t j = 0; j < end; j += kRows) {
    const int64_t count = std::min(kRows, end - j);
    pattern_of_queries(s, h, j, count, queries, record, tile);
    pattern_signal(s, h, h.v.part(j, count), g, j, signal);
    for (int64_t r = 0; r < count; ++r) {
      const Block e = mul(load(tile + r * kBlock), subtract(load(signal + r * kBlock), d));
      store(e, tile + r * kBlock);
    }
    accumulate(h.k.part(j, count), h.width, tile, sums);
  }
  float factors[kBlock];
  store(fill(s.scale), factors);
  unpack(sums, factors, h.width, s.lanes, grad + s.lane * h.q.stride, h.q.stride);
}

// P of sixteen keys and the queries i …, into `tile`; and E too, into `signal`, if asked for.
HWY_INLINE void rows_of_keys(const Scene& s, const cpu::Head& h, int64_t i, int64_t count, const float* keys,
                             const float* values, float* tile, float* signal) {
  products(h.q.part(i, count), h.width, keys, tile);
  finish_scores(s, i, count, tile);
  if (signal) pattern_signal(s, h, h.g.part(i, count), values, i, signal);
  for (int64_t r = 0; r < count; ++r) {
    const Block p = exponential(subtract(load(tile + r * kBlock), fill(h.record[i + r])));
    store(p, tile + r * kBlock);
    if (signal) store(mul(p, subtract(load(signal + r * kBlock), fill(h.d[i + r]))), signal + r * kBlock);
  }
}

// Adds a head's part of dL/dk (or, `of_values`, dL/dv) of sixteen keys to their sums, scratch.panel[2].
void AttentionVjpKeys(const Scene& s, const cpu::Head& h, int64_t begin, bool of_values,
                      const cpu::Scratch& scratch) {
  float *keys = scratch.panel[0], *values = scratch.panel[1];
  float *tile = scratch.tile[0], *signal = of_values ? nullptr : scratch.tile[1];
  pack(h.k.part(s.lane, s.lanes), h.width, keys);
  if (!of_values) pack(h.v.part(s.lane, s.lanes), h.width, values);
  for (int64_t i = begin; i < h.q.count; i += kRows) {
    const int64_t count = std::min(kRows, h.q.count - i);
    rows_of_keys(s, h, i, count, keys, values, tile, signal);
    accumulate(of_values ? h.g.part(i, count) : h.q.part(i, count), h.width, of_values ? tile : signal,
               scratch.panel[2]);
  }
}

// Adds E of `count` queries from i on and sixteen keys to `grad`, whose rows lie `stride` apart.
void AttentionVjpBias(const Scene& s, const cpu::Head& h, int64_t i, int64_t count,
                      const cpu::Scratch& scratch, float* grad, int64_t stride) {
  pack(h.k.part(s.lane, s.lanes), h.width, scratch.panel[0]);
  pack(h.v.part(s.lane, s.lanes), h.width, scratch.panel[1]);
  rows_of_keys(s, h, i, count, scratch.panel[0], scratch.panel[1], scratch.tile[0], scratch.tile[1]);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t l = 0; l < s.lanes; ++l) grad[r * stride + s.lane + l] += scratch.tile[1][r * kBlock + l];
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(AttentionD);
HWY_EXPORT(AttentionVjpQueries);
HWY_EXPORT(AttentionVjpKeys);
HWY_EXPORT(AttentionVjpBias);

namespace {

// A call's parts, each as tasks.
struct Vjp {
  const AttentionSizes& a;
  const AttentionOperands<float>& o;
  const AttentionSignals<float>& s;
  float *d, *scratch;

  Head head(int64_t n, int64_t h) const { return {a, o, s, d, n, h}; }

  // D, or dL/dq.
  void queries(float* grad) const {
    const auto make_d = HWY_DYNAMIC_DISPATCH(AttentionD);
    const auto run = HWY_DYNAMIC_DISPATCH(AttentionVjpQueries);
    const int64_t count = blocks(a.queries);
    for_each_task(a.n * a.heads * count, a.width, scratch, [&](int64_t task, const Scratch& memory) {
      const int64_t n = task / count / a.heads, h = task / count % a.heads, first = task % count * kBlock;
      const Head own = head(n, h);
      const Scene scene(a, o, n, h, true, first);
      if (!grad) return make_d(scene, own, keys_end(a, first), memory);
      run(scene, own, keys_end(a, first), memory, grad + (own.q.first - o.q));
    });
  }

  void keys(bool of_values, float* grad) const {
    const auto run = HWY_DYNAMIC_DISPATCH(AttentionVjpKeys);
    const int64_t count = blocks(a.keys);
    for_each_task(a.n * a.kv_heads * count, a.width, scratch, [&](int64_t task, const Scratch& memory) {
      const int64_t n = task / count / a.kv_heads, kv = task / count % a.kv_heads,
                    first = task % count * kBlock;
      float* sums = memory.panel[2];
      std::fill(sums, sums + a.width * kBlock, 0.0f);
      for (int64_t h = kv * a.group(); h < (kv + 1) * a.group(); ++h)
        run(Scene(a, o, n, h, false, first), head(n, h), queries_begin(a, first), of_values, memory);
      const float factor = of_values ? 1.0f : static_cast<float>(a.scale);
      for (int64_t l = 0; l < std::min(kBlock, a.keys - first); ++l) {
        float* to = grad + ((n * a.keys + first + l) * a.kv_heads + kv) * a.width;
        for (int64_t c = 0; c < a.width; ++c) to[c] = sums[c * kBlock + l] * factor;
      }
    });
  }

  void bias(float* grad) const {
    const auto run = HWY_DYNAMIC_DISPATCH(AttentionVjpBias);
    const int64_t *size = a.bias_size, count = blocks(a.keys), rows = size[2] == 1 ? a.queries : kRows;
    const int64_t chunks = ceil_div(a.queries, rows);
    for_each_task(
        size[0] * size[1] * chunks * count, a.width, scratch, [&](int64_t task, const Scratch& memory) {
          const int64_t first = task % count * kBlock, begin = task / count % chunks * rows;
          const int64_t map = task / count / chunks, end = std::min(a.queries, begin + rows);
          float* to = grad + (map * size[2] + (size[2] == 1 ? 0 : begin)) * a.keys;
          for (int64_t i = 0; i < (size[2] == 1 ? 1 : end - begin); ++i)
            std::fill_n(to + i * a.keys + first, std::min(kBlock, a.keys - first), 0.0f);
          const int64_t n0 = map / size[1], h0 = map % size[1];
          for (int64_t n = size[0] == 1 ? 0 : n0; n < (size[0] == 1 ? a.n : n0 + 1); ++n)
            for (int64_t h = size[1] == 1 ? 0 : h0; h < (size[1] == 1 ? a.heads : h0 + 1); ++h)
              for (int64_t i = begin; i < end; i += kRows)
                run(Scene(a, o, n, h, false, first), head(n, h), i, std::min(kRows, end - i), memory,
                    size[2] == 1 ? to : to + (i - begin) * a.keys, size[2] == 1 ? 0 : a.keys);
        });
  }
};

}  // namespace

void attention_vjp(const AttentionSizes& a, const AttentionOperands<float>& o,
                   const AttentionSignals<float>& s, int operand, float* grad, float* workspace) {
  const Vjp vjp{a, o, s, workspace, workspace + round_up(a.n * a.heads * a.queries, kBlock)};
  if (operand == 2) return vjp.keys(true, grad);
  vjp.queries(nullptr);
  if (operand == 0) return vjp.queries(grad);
  if (operand == 1) return vjp.keys(false, grad);
  vjp.bias(grad);
}

}  // namespace loupe::cpu
#endif
