#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

struct Sizes {
  int64_t n, queries, keys, width;
};

OpCase attend(std::string name, Attention a, Sizes s, Shape bias = {}) {
  const int64_t kv_heads = a.kv_heads ? a.kv_heads : a.heads;
  OpCase c{.name = std::move(name),
           .op = attention(a),
           .inputs = {{s.n, s.queries, a.heads * s.width},
                      {s.n, s.keys, kv_heads * s.width},
                      {s.n, s.keys, kv_heads * s.width}}};
  c.draws.assign(3, Draw::uniform);
  if (a.bias) {
    c.inputs.push_back(bias);
    c.draws.push_back(Draw::uniform);
    if (bias[0] == 1) c.unbatched = 1u << 3;
  }
  if (a.padding) {
    c.inputs.push_back({s.n, s.keys});
    c.draws.push_back(Draw::switches);
    c.limit = 2;
  }
  return c;
}

// ---- the bound. With A_i the largest Σ|scale·q·k| + |bias| of a query's scores, a score is off by γ·A, and
// so is exp(score) relatively; the largest score and log l are off likewise, and subtracting them rounds once
// more. So P is off by γ·F·P with F_i = 2 + 4·A_i + log Lk. With B_ij the magnitude behind dL/dP_ij and B̄_i
// = Σ_j P_ij B_ij that behind D_i, which itself is off by γ·F·B̄, E_ij is off by γ·2F·P_ij·(B_ij + B̄_i).

struct Magnitudes {
  int64_t n, heads, group, queries, keys, width;
  bool causal;
  Numbers pattern, f, e;  // (n, heads, queries, keys); (n, heads, queries); M of E

  Magnitudes(const Operands& o, Attention a) {
    heads = a.heads;
    group = a.kv_heads ? a.heads / a.kv_heads : 1;
    n = o.shapes[0][0];
    queries = o.shapes[0][1];
    keys = o.shapes[1][1];
    width = o.shapes[0][2] / heads;
    causal = a.causal;
    pattern.resize(static_cast<size_t>(n * heads * queries * keys));
    e = pattern;
    f.resize(static_cast<size_t>(n * heads * queries));
    for (int64_t row = 0; row < n * heads * queries; ++row) one_query(o, a, row);
  }

  size_t query(int64_t row, int64_t c) const {
    return static_cast<size_t>(
        ((row / queries / heads * queries + row % queries) * heads + row / queries % heads) * width + c);
  }
  size_t key(int64_t row, int64_t j, int64_t c) const {
    const int64_t kv = row / queries % heads / group;
    return static_cast<size_t>(((row / queries / heads * keys + j) * (heads / group) + kv) * width + c);
  }
  static size_t bias(const Shape& b, int64_t image, int64_t head, int64_t i, int64_t j) {
    const auto at = [&](int d, int64_t k) { return b[d] == 1 ? 0 : k; };
    return static_cast<size_t>(((at(0, image) * b[1] + at(1, head)) * b[2] + at(2, i)) * b[3] + at(3, j));
  }
  size_t bias(const Shape& b, int64_t row, int64_t j) const {
    return bias(b, row / queries / heads, row / queries % heads, row % queries, j);
  }

  void one_query(const Operands& o, const Attention& a, int64_t row) {
    const double scale = a.scale != 0 ? a.scale : 1 / std::sqrt(static_cast<double>(width));
    const size_t mask = a.bias ? 4 : 3;
    Numbers score(static_cast<size_t>(keys), -std::numeric_limits<double>::infinity());
    double largest_size = 0, largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t j = 0; j < keys; ++j) {
      if (causal && j > row % queries + keys - queries) continue;
      if (a.padding && o.inputs[mask][static_cast<size_t>(row / queries / heads * keys + j)] == 0) continue;
      const double b = a.bias ? o.inputs[3][bias(o.shapes[3], row, j)] : 0;
      double dot = 0, size = 0;
      for (int64_t c = 0; c < width; ++c) {
        const double term = scale * o.inputs[0][query(row, c)] * o.inputs[1][key(row, j, c)];
        dot += term;
        size += std::fabs(term);
      }
      score[static_cast<size_t>(j)] = dot + b;
      largest = std::max(largest, dot + b);
      largest_size = std::max(largest_size, size + std::fabs(b));
    }
    double* p = &pattern[static_cast<size_t>(row * keys)];
    for (int64_t j = 0; j < keys; ++j) {
      p[j] = std::isinf(largest) ? 0 : std::exp(score[static_cast<size_t>(j)] - largest);
      sum += p[j];
    }
    for (int64_t j = 0; j < keys && sum > 0; ++j) p[j] /= sum;
    const double factor = 2 + 4 * largest_size + std::log(static_cast<double>(keys));
    f[static_cast<size_t>(row)] = factor;
    Numbers b(static_cast<size_t>(keys));
    double mean = 0;
    for (int64_t j = 0; j < keys; ++j) {
      double& size = b[static_cast<size_t>(j)];
      for (int64_t c = 0; !o.grad_output.empty() && c < width; ++c)
        size += std::fabs(o.grad_output[query(row, c)] * o.inputs[2][key(row, j, c)]);
      if (a.pattern && !o.more_grad_outputs.empty() && !o.more_grad_outputs[0].empty())
        size += std::fabs(o.more_grad_outputs[0][static_cast<size_t>(row * keys + j)]);
      mean += p[j] * size;
    }
    for (int64_t j = 0; j < keys; ++j)
      e[static_cast<size_t>(row * keys + j)] = 2 * factor * p[j] * (b[static_cast<size_t>(j)] + mean);
  }

  // M of a direction's result.
  Numbers of(Direction direction, const Operands& o, const Attention& a) const {
    const double scale = a.scale != 0 ? std::fabs(a.scale) : 1 / std::sqrt(static_cast<double>(width));
    const int operand = direction.operand;
    Numbers m(direction.is_forward() ? o.inputs[0].size() : o.inputs[static_cast<size_t>(operand)].size());
    for (int64_t row = 0; row < n * heads * queries; ++row)
      for (int64_t j = 0; j < keys; ++j) {
        const auto at = static_cast<size_t>(row * keys + j);
        const double p = f[static_cast<size_t>(row)] * pattern[at];
        if (operand == 3) m[bias(o.shapes[3], row, j)] += e[at];
        for (int64_t c = 0; c < width; ++c) {
          const size_t q = query(row, c), k = key(row, j, c);
          if (direction.is_forward()) m[q] += p * std::fabs(o.inputs[2][k]);
          if (operand == 0) m[q] += scale * e[at] * std::fabs(o.inputs[1][k]);
          if (operand == 1) m[k] += scale * e[at] * std::fabs(o.inputs[0][q]);
          if (operand == 2 && !o.grad_output.empty()) m[k] += p * std::fabs(o.grad_output[q]);
        }
      }
    if (direction.is_forward() && a.pattern)
      for (size_t i = 0; i < pattern.size(); ++i) m.push_back(f[i / static_cast<size_t>(keys)] * pattern[i]);
    return m;
  }
};

struct Entry {
  Attention attributes;
  OpCase test;
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> list;
    const auto add = [&](std::string name, Attention a, Sizes s, Shape bias = {}) {
      list.push_back({a, attend(std::move(name), a, s, bias)});
    };
    add("one head, one number", {}, {1, 1, 1, 1});
    add("one head", {}, {3, 5, 7, 4});
    add("three heads, longer than a block of keys", {.heads = 3}, {2, 19, 50, 8});
    add("more than a tile of both, odd width", {}, {1, 70, 101, 5});
    add("wider than a stretch of channels", {.heads = 1}, {1, 17, 20, 70});
    add("wider than two tiles", {.heads = 1}, {1, 5, 6, 130});
    add("a scale", {.heads = 2, .scale = 0.7}, {1, 17, 20, 6});
    add("grouped heads", {.heads = 4, .kv_heads = 2}, {2, 18, 20, 5});
    add("causal", {.causal = true}, {1, 67, 67, 4});
    add("causal, more keys than queries", {.heads = 1, .causal = true}, {2, 20, 70, 4});
    add("causal, queries that see nothing", {.heads = 1, .causal = true}, {1, 70, 40, 4});
    add("bias", {.heads = 2, .bias = true}, {2, 20, 35, 4}, {2, 2, 20, 35});
    add("bias that images share", {.heads = 2, .bias = true}, {2, 66, 20, 4}, {1, 2, 66, 20});
    add("bias that heads share", {.heads = 2, .bias = true}, {2, 20, 20, 4}, {2, 1, 20, 20});
    add("bias that queries share", {.heads = 2, .bias = true}, {1, 70, 20, 4}, {1, 1, 1, 20});
    add("bias that changes nothing", {.heads = 2, .bias = true}, {1, 5, 20, 4}, {1, 2, 5, 1});
    add("padding", {.heads = 2, .padding = true}, {3, 20, 35, 4});
    add("padding of the only key", {.padding = true}, {3, 2, 1, 4});
    add("pattern", {.heads = 2, .pattern = true}, {2, 20, 70, 4});
    add("everything",
        {.heads = 4, .kv_heads = 2, .causal = true, .bias = true, .padding = true, .pattern = true},
        {2, 40, 35, 3}, {1, 4, 40, 35});
    return list;
  }();
  return all;
}

const Entry& entry(const std::string& name) {
  return *std::ranges::find_if(entries(), [&](const Entry& e) { return e.test.name == name; });
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  for (const Entry& e : entries()) list.push_back(e.test);
  return list;
}

Numbers magnitude(const OpCase& c, Direction direction, const Operands& o) {
  const Attention& a = entry(c.name).attributes;
  return Magnitudes(o, a).of(direction, o, a);
}

Rejection refuse(std::string name, Attention a, std::vector<Shape> inputs, std::string message,
                 std::vector<Dtype> types = {}) {
  return {std::move(name), [=] { infer(attention(a), inputs, types); }, std::move(message)};
}

std::vector<Rejection> rejections() {
  const Shape x{1, 5, 8};
  const Dtype real = Dtype::f32;
  return {
      {"no head", [] { attention({.heads = 0}); }, "both at least 1, got 0 and 0"},
      {"heads that do not share evenly", [] { attention({.heads = 6, .kv_heads = 4}); }, "got 6 and 4"},
      {"a scale that is no number", [] { attention({.scale = std::nan("")}); }, "a finite scale"},
      refuse("two inputs", {}, {x, x}, "takes 3 inputs, got 2"),
      refuse("no bias", {.bias = true}, {x, x, x}, "takes 4 inputs, got 3"),
      refuse("rank 2", {}, {{5, 8}, {5, 8}, {5, 8}}, "(N, L, heads · d), got (5, 8)"),
      refuse("empty", {}, {{1, 0, 8}, x, x}, "non-empty"),
      refuse("a width that heads do not divide", {.heads = 3}, {x, x, x}, "cannot take queries (1, 5, 8)"),
      refuse("keys of another width", {.heads = 2}, {x, {1, 5, 4}, {1, 5, 4}}, "with keys (1, 5, 4)"),
      refuse("another batch", {}, {x, {2, 5, 8}, {2, 5, 8}}, "with keys (2, 5, 8)"),
      refuse("values unlike keys", {}, {x, x, {1, 4, 8}}, "and values (1, 4, 8)"),
      refuse("a bias of another size", {.bias = true}, {x, x, x, {1, 1, 5, 4}},
             "those of (1, 1, 5, 5), got (1, 1, 5, 4)"),
      refuse("a bias of rank 2", {.bias = true}, {x, x, x, {5, 5}}, "got (5, 5)"),
      refuse("a padding mask of floats", {.padding = true}, {x, x, x, {1, 5}},
             "a padding mask u8 (1, 5), got f32"),
      refuse("a padding mask of another length", {.padding = true}, {x, x, x, {1, 4}}, "got u8 (1, 4)",
             {real, real, real, Dtype::u8}),
      refuse("queries of indices", {}, {x, x, x}, "takes floats, got i32", {Dtype::i32, real, real})};
}

}  // namespace

extern const OpSuite attention_suite{
    .cases = cases(),
    .rejections = rejections(),
    // exp within 2 ulp on every backend, a quotient, and the logarithm of the record.
    .function_ulps = 4,
    .magnitude = magnitude,
    // F, of every query.
    .record_magnitude =
        [](const Operands& o) {
          for (const Entry& e : entries())
            if (e.test.inputs.size() == o.shapes.size() && std::ranges::equal(e.test.inputs, o.shapes))
              return Magnitudes(o, e.attributes).f;
          return Numbers();
        },
};

}  // namespace loupe::test
