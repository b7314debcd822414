#include "kernels/attention_statistics/attention_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

struct Entry {
  AttentionStatistics attributes;
  OpCase test;
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> list;
    const auto add = [&](std::string name, AttentionStatistics a, int64_t n, int64_t length, int64_t width) {
      OpCase c{.name = std::move(name),
               .op = attention_statistics(a),
               .inputs = {{n, length, a.heads * width},
                          {n, length, (a.kv_heads ? a.kv_heads : a.heads) * width},
                          {n, length}},
               .draws = {Draw::uniform, Draw::uniform, Draw::indices},
               .limit = length};
      if (a.sets > 0) c.inputs.push_back({n, length}), c.draws.push_back(Draw::indices);
      if (a.padding) c.inputs.push_back({n, length}), c.draws.push_back(Draw::switches), c.limit = 2;
      list.push_back({a, std::move(c)});
    };
    add("one token", {}, 1, 1, 1);
    add("one head", {}, 2, 5, 3);
    add("three heads, longer than a block of keys", {.heads = 3}, 1, 50, 8);
    add("causal", {.heads = 2, .causal = true}, 2, 35, 4);
    add("causal, more than a block of queries", {.causal = true}, 1, 67, 5);
    add("grouped heads", {.heads = 4, .kv_heads = 2, .causal = true}, 1, 18, 5);
    add("a scale", {.heads = 2, .scale = 0.7}, 1, 20, 6);
    add("sets", {.heads = 2, .causal = true, .sets = 3}, 2, 20, 4);
    add("padding", {.heads = 2, .padding = true}, 3, 20, 4);
    add("everything", {.heads = 4, .kv_heads = 2, .causal = true, .scale = 0.5, .sets = 8, .padding = true},
        2, 40, 3);
    return list;
  }();
  return all;
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  for (const Entry& e : entries()) list.push_back(e.test);
  return list;
}

// The bound, with A the largest Σ|scale·q·k| of a query's scores, as attention's: a score is off by γ·A, and L likewise,
// so that P is off by γ·F·P with F = 2 + 4·A + log L. L itself is off by γ·(A + log L), which is what log P is off by
// besides in the entropy; distances are exact.
Numbers magnitude(const OpCase& c, Direction, const Operands& o) {
  const AttentionStatistics& a =
      std::ranges::find_if(entries(), [&](const Entry& e) { return e.test.name == c.name; })->attributes;
  const int64_t heads = a.heads, kv = a.kv_heads ? a.kv_heads : heads, n = o.shapes[0][0],
                length = o.shapes[0][1], width = o.shapes[0][2] / heads, rows = kStatistics + a.sets;
  const double scale = a.scale != 0 ? a.scale : 1 / std::sqrt(static_cast<double>(width));
  Numbers m(static_cast<size_t>(n * heads * rows * length)),
      profile(static_cast<size_t>(n * heads * (2 * length - 1)));
  for (int64_t map = 0; map < n * heads; ++map)
    for (int64_t i = 0; i < length; ++i) {
      const int64_t image = map / heads, h = map % heads;
      const auto value = [&](size_t operand, int64_t at) {
        return o.inputs[operand][static_cast<size_t>(at)];
      };
      const bool padded = a.padding && value(o.inputs.size() - 1, image * length + i) == 0;
      Numbers score(static_cast<size_t>(length), -std::numeric_limits<double>::infinity());
      double size = 0, largest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t j = 0; j < length; ++j) {
        if ((a.causal && j > i) || (a.padding && value(o.inputs.size() - 1, image * length + j) == 0))
          continue;
        double dot = 0, of_dot = 0;
        for (int64_t d = 0; d < width; ++d) {
          const double term = scale * value(0, ((image * length + i) * heads + h) * width + d) *
                              value(1, ((image * length + j) * kv + h / (heads / kv)) * width + d);
          dot += term;
          of_dot += std::fabs(term);
        }
        score[static_cast<size_t>(j)] = dot;
        size = std::max(size, of_dot);
        largest = std::max(largest, dot);
      }
      if (std::isinf(largest)) continue;  // all is masked: exact zeros
      for (const double s : score) sum += std::exp(s - largest);
      const double log_sum = largest + std::log(sum),
                   f = 2 + 4 * size + std::log(static_cast<double>(length));
      double* to = &m[static_cast<size_t>(map * rows * length + i)];
      to[0] = size + std::log(static_cast<double>(length)) + std::fabs(log_sum);
      for (int64_t j = 0; j < length; ++j) {
        const double s = score[static_cast<size_t>(j)], p = std::exp(s - log_sum);
        if (p > 0)
          to[static_cast<int64_t>(Statistic::entropy) * length] +=
              p * (f * std::fabs(log_sum - s) + to[0] + size);
        to[static_cast<int64_t>(Statistic::distance) * length] +=
            f * p * std::fabs(static_cast<double>(i - j));
        const auto mass = [&](Statistic of) { to[static_cast<int64_t>(of) * length] += f * p; };
        const double earlier = value(2, image * length + i);
        if (j == i - 1) mass(Statistic::previous);
        if (j == 0) mass(Statistic::first);
        if (static_cast<double>(j) == earlier) mass(Statistic::duplicate);
        if (static_cast<double>(j) == earlier + 1) mass(Statistic::induction);
        if (a.sets > 0)
          if (const auto g = static_cast<int64_t>(value(3, image * length + j)); g < a.sets)
            to[(kStatistics + g) * length] += f * p;
        // Of the profile a mean of as many.
        if (!padded) profile[static_cast<size_t>(map * (2 * length - 1) + i - j + length - 1)] += f * p;
      }
    }
  m.insert(m.end(), profile.begin(), profile.end());
  return m;
}

Rejection refuse(std::string name, AttentionStatistics a, std::vector<Shape> inputs, std::string message,
                 std::vector<Dtype> types = {Dtype::f32, Dtype::f32, Dtype::i32, Dtype::i32}) {
  types.resize(inputs.size());
  return {std::move(name), [=] { infer(attention_statistics(a), inputs, types); }, std::move(message)};
}

}  // namespace

extern const OpSuite attention_statistics_suite{
    .cases = cases(),
    .rejections = {{"heads that do not share evenly",
                    [] { attention_statistics({.heads = 6, .kv_heads = 4}); }, "got 6 and 4"},
                   {"too many sets", [] { attention_statistics({.sets = 9}); }, "at most 8 sets"},
                   refuse("two inputs", {}, {{1, 5, 8}, {1, 5, 8}}, "takes 3 inputs, got 2"),
                   refuse("keys of another length", {}, {{1, 5, 8}, {1, 4, 8}, {1, 5}},
                          "got (1, 5, 8) and (1, 4, 8)"),
                   refuse("positions of another length", {}, {{1, 5, 8}, {1, 5, 8}, {1, 4}},
                          "got i32 (1, 4)"),
                   refuse("a mask of numbers", {.padding = true}, {{1, 5, 8}, {1, 5, 8}, {1, 5}, {1, 5}},
                          "a padding mask u8 (1, 5)"),
                   refuse("queries of indices", {}, {{1, 5, 8}, {1, 5, 8}, {1, 5}}, "of floats, got i32",
                          {Dtype::i32, Dtype::f32, Dtype::i32})},
    // exp within 2 ulp on every backend, a quotient, a logarithm.
    .function_ulps = 4,
    .magnitude = magnitude,
    .forward_only = true,
};

}  // namespace loupe::test
