#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/common/parallel.h"

namespace loupe::ref {

namespace {

// One query of one head of one image.
struct Query {
  int64_t image, head, i;
};

// The arrays, element by element.
template <typename T>
struct Places {
  const AttentionSizes& a;
  const AttentionOperands<T>& o;

  int64_t kv_head(const Query& p) const { return p.head / a.group(); }
  int64_t of_query(const Query& p) const {
    return ((p.image * a.queries + p.i) * a.heads + p.head) * a.width;
  }
  int64_t of_key(const Query& p, int64_t j) const {
    return ((p.image * a.keys + j) * a.kv_heads + kv_head(p)) * a.width;
  }
  int64_t of_row(const Query& p) const { return (p.image * a.heads + p.head) * a.queries + p.i; }
  int64_t of_bias(const Query& p, int64_t j) const {
    const int64_t* by = a.bias_stride;
    return p.image * by[0] + p.head * by[1] + p.i * by[2] + j * by[3];
  }

  // −∞ for a masked key.
  T score(const Query& p, int64_t j) const {
    const bool masked = (a.causal && j > p.i + a.ahead()) || (o.padding && !o.padding[p.image * a.keys + j]);
    if (masked) return -std::numeric_limits<T>::infinity();
    const T *q = o.q + of_query(p), *k = o.k + of_key(p, j);
    T dot = 0;
    for (int64_t c = 0; c < a.width; ++c) dot += q[c] * k[c];
    return static_cast<T>(a.scale) * dot + (o.bias ? o.bias[of_bias(p, j)] : T{0});
  }
};

// P of a query's keys.
template <typename T>
void make_pattern(const Places<T>& at, const T* record, const Query& p, std::vector<T>& pattern) {
  for (int64_t j = 0; j < at.a.keys; ++j)
    pattern[static_cast<size_t>(j)] = std::exp(at.score(p, j) - record[at.of_row(p)]);
}

// E of a query's keys.
template <typename T>
void make_slopes(const Places<T>& at, const AttentionSignals<T>& s, const Query& p,
                 const std::vector<T>& pattern, std::vector<T>& e) {
  T d = 0;
  for (int64_t j = 0; j < at.a.keys; ++j) {
    const auto k = static_cast<size_t>(j);
    e[k] = s.g_pattern ? s.g_pattern[at.of_row(p) * at.a.keys + j] : T{0};
    const T *g = s.g + at.of_query(p), *v = at.o.v + at.of_key(p, j);
    for (int64_t c = 0; s.g && c < at.a.width; ++c) e[k] += g[c] * v[c];
    d += pattern[k] * e[k];
  }
  for (size_t k = 0; k < e.size(); ++k) e[k] = pattern[k] * (e[k] - d);
}

}  // namespace

template <typename T>
void attention(const AttentionSizes& a, const AttentionOperands<T>& o, T* y, T* pattern, T* record) {
  const Places<T> at{a, o};
  parallel_for(a.n * a.heads * a.queries, [&](int64_t row) {
    const Query p{row / a.queries / a.heads, row / a.queries % a.heads, row % a.queries};
    std::vector<T> weight(static_cast<size_t>(a.keys));
    for (int64_t j = 0; j < a.keys; ++j) weight[static_cast<size_t>(j)] = at.score(p, j);
    T max = -std::numeric_limits<T>::infinity(), sum = 0;
    for (T s : weight) max = std::max(max, s);
    if (std::isinf(max) && max < 0) max = 0;  // all masked
    for (T& w : weight) sum += w = std::exp(w - max);
    const bool seen = sum != 0;
    for (T& w : weight) w = seen ? w / sum : T{0};
    if (record) record[row] = seen ? max + std::log(sum) : T{0};
    if (pattern) std::copy(weight.begin(), weight.end(), pattern + row * a.keys);
    for (int64_t c = 0; y && c < a.width; ++c) {
      T total = 0;
      for (int64_t j = 0; j < a.keys; ++j) total += weight[static_cast<size_t>(j)] * o.v[at.of_key(p, j) + c];
      y[at.of_query(p) + c] = total;
    }
  });
}

template <typename T>
void attention_vjp(const AttentionSizes& a, const AttentionOperands<T>& o, const AttentionSignals<T>& s,
                   int operand, T* grad) {
  const Places<T> at{a, o};
  const int64_t* bias = a.bias_size;
  const int64_t size = operand == 0   ? a.n * a.queries * a.heads * a.width
                       : operand == 3 ? bias[0] * bias[1] * bias[2] * bias[3]
                                      : a.n * a.keys * a.kv_heads * a.width;
  std::fill(grad, grad + size, T{0});
  std::vector<T> pattern(static_cast<size_t>(a.keys)), e(pattern.size());
  for (int64_t row = 0; row < a.n * a.heads * a.queries; ++row) {
    const Query p{row / a.queries / a.heads, row / a.queries % a.heads, row % a.queries};
    make_pattern(at, s.record, p, pattern);
    if (operand != 2) make_slopes(at, s, p, pattern, e);
    for (int64_t j = 0; j < a.keys; ++j) {
      const auto k = static_cast<size_t>(j);
      const int64_t query = at.of_query(p), key = at.of_key(p, j);
      const T slope = static_cast<T>(a.scale) * e[k];
      if (operand == 3) grad[at.of_bias(p, j)] += e[k];
      for (int64_t c = 0; c < a.width; ++c) {
        if (operand == 0) grad[query + c] += slope * o.k[key + c];
        if (operand == 1) grad[key + c] += slope * o.q[query + c];
        if (operand == 2 && s.g) grad[key + c] += pattern[k] * s.g[query + c];
      }
    }
  }
}

template void attention(const AttentionSizes&, const AttentionOperands<float>&, float*, float*, float*);
template void attention(const AttentionSizes&, const AttentionOperands<double>&, double*, double*, double*);
template void attention_vjp(const AttentionSizes&, const AttentionOperands<float>&,
                            const AttentionSignals<float>&, int, float*);
template void attention_vjp(const AttentionSizes&, const AttentionOperands<double>&,
                            const AttentionSignals<double>&, int, double*);

}  // namespace loupe::ref
