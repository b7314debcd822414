// Binary ops on the CPU: 16 neighbours at once. Floor forward: 8 bytes read (4, where an operand is repeated)
// and 4 written.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise/binary.cpu.cpp"
#include "kernels/elementwise/binary.h"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"

#include <algorithm>

#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"
#include "kernels/elementwise/numbers-inl.h"

#ifndef LOUPE_BINARY_ONCE
#define LOUPE_BINARY_ONCE
namespace loupe::cpu {
namespace {

/// A direction's arrays.
struct BinaryArrays {
  const float *g, *a, *b;
  float* to;
};

}  // namespace
}  // namespace loupe::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other ops' functions of the same name would merge with these

using cpu::BinaryArrays;
using Dim = BinarySum::Dim;
using Offsets = BinarySum::Dims::Offsets;

// Up to 16 values from p on, or the one there where step is 0.
HWY_INLINE Block load_some(const float* p, int64_t step, int64_t count) {
  if (step == 0) return fill(*p);
  if (count >= kBlock) return load(p);
  alignas(64) float some[kBlock] = {};
  std::copy_n(p, count, some);
  return load(some);
}

// 16 terms, at offsets from the arrays' beginnings, along dimension `d`.
template <typename Term>
HWY_INLINE Block terms_at(const BinaryArrays& x, const Offsets& at, const Dim& d, int64_t count) {
  const Block none = fill(0.0f);
  const Block g = Term::reads_g ? load_some(x.g + at.g, d.g, count) : none;
  const Block a = Term::reads_a ? load_some(x.a + at.a, d.a, count) : none;
  const Block b = Term::reads_b ? load_some(x.b + at.b, d.b, count) : none;
  Block r;
  for (int i = 0; i < kVectors; ++i)
    r.v[i] = Term::of(numbers::Number(g.v[i]), numbers::Number(a.v[i]), numbers::Number(b.v[i])).v;
  return r;
}

HWY_INLINE Offsets moved(const Offsets& o, const Dim& d, int64_t by) {
  return {o.g + by * d.g, o.a + by * d.a, o.b + by * d.b};
}
HWY_INLINE Offsets together(const Offsets& o, const Offsets& p) { return {o.g + p.g, o.a + p.a, o.b + p.b}; }

// Results [begin, end) of the innermost kept dimension, for each index [first, last) of the one around it and
// index `outer` of those around that. Neighbours are results.
template <typename Term>
void columns(const BinarySum& s, const BinaryArrays& x, int64_t outer, int64_t first, int64_t last,
             int64_t begin, int64_t end) {
  const Dim one, &inner = s.kept.dim[s.kept.rank - 1],
                 &middle = s.kept.rank > 1 ? s.kept.dim[s.kept.rank - 2] : one;
  const Offsets start = s.kept.at(outer, 2);
  const int64_t terms = s.summed.count();
  for (int64_t m = first; m < last; ++m) {
    const Offsets row = moved(start, middle, m);
    float* to = x.to + (outer * middle.size + m) * inner.size;
    for (int64_t i = begin; i < end; i += kBlock) {
      const int64_t count = std::min(end - i, kBlock);
      const Offsets at = moved(row, inner, i);
      Block sum = terms_at<Term>(x, at, inner, count);
      for (int64_t t = 1; t < terms; ++t)
        sum = add(sum, terms_at<Term>(x, together(at, s.summed.at(t)), inner, count));
      if (count == kBlock) {
        store(sum, to + i);
        continue;
      }
      alignas(64) float some[kBlock];
      store(sum, some);
      std::copy_n(some, count, to + i);
    }
  }
}

// Result k, whose terms are neighbours: 16 sums of every 16th term, and then their sum by halves.
template <typename Term>
void row(const BinarySum& s, const BinaryArrays& x, int64_t k) {
  const Dim& inner = s.summed.dim[s.summed.rank - 1];
  const Offsets start = s.kept.at(k);
  const int64_t outer = s.summed.count() / inner.size;
  Block sum = fill(0.0f);
  for (int64_t t = 0; t < outer; ++t) {
    const Offsets at = together(start, s.summed.at(t, 1));
    for (int64_t i = 0; i < inner.size; i += kBlock) {
      const int64_t count = std::min(inner.size - i, kBlock);
      const Block terms = terms_at<Term>(x, moved(at, inner, i), inner, count);
      const auto lanes = static_cast<uint16_t>((1u << count) - 1);
      sum = add(sum, count == kBlock ? terms : select(lanes, terms, fill(0.0f)));
    }
  }
  alignas(64) float sums[kBlock];
  store(sum, sums);
  for (int64_t half = kBlock / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  x.to[k] = sums[0];
}

void Columns(const BinarySum& s, const BinaryArrays& x, int64_t outer, int64_t first, int64_t last,
             int64_t begin, int64_t end) {
  binary_terms::visit_term(s.kind, s.operand,
                           [&](auto term) { columns<decltype(term)>(s, x, outer, first, last, begin, end); });
}
void Row(const BinarySum& s, const BinaryArrays& x, int64_t k) {
  binary_terms::visit_term(s.kind, s.operand, [&](auto term) { row<decltype(term)>(s, x, k); });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(Columns);
HWY_EXPORT(Row);

void binary(const BinarySum& s, const float* g, const float* a, const float* b, float* to) {
  constexpr int64_t kChunk = 16384;  // terms a task: 64 KiB of each array
  const BinaryArrays x{g, a, b, to};
  const int64_t results = s.kept.count(), terms = s.summed.count();
  if (s.rows) {
    const auto run = HWY_DYNAMIC_DISPATCH(Row);
    const int64_t together = std::max<int64_t>(1, kChunk / terms);
    return parallel_for(ceil_div(results, together), [&](int64_t i) {
      for (int64_t k = i * together; k < std::min(results, (i + 1) * together); ++k) run(s, x, k);
    });
  }
  // Chunks of the innermost dimension, or many of it and chunks of the one around it.
  const auto run = HWY_DYNAMIC_DISPATCH(Columns);
  const int64_t inner = s.kept.dim[s.kept.rank - 1].size,
                middle = s.kept.rank > 1 ? s.kept.dim[s.kept.rank - 2].size : 1;
  const int64_t wide = std::clamp<int64_t>(round_up(kChunk / terms, kBlock), kBlock, round_up(inner, kBlock));
  const int64_t high = std::clamp<int64_t>(kChunk / (terms * wide), 1, middle);
  const int64_t across = ceil_div(inner, wide), down = ceil_div(middle, high);
  parallel_for(results / (inner * middle) * down * across, [&](int64_t i) {
    const int64_t begin = i % across * wide, first = i / across % down * high;
    run(s, x, i / across / down, first, std::min(middle, first + high), begin, std::min(inner, begin + wide));
  });
}

}  // namespace loupe::cpu
#endif
