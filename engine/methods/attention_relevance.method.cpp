#include "engine/methods/attention_relevance.h"

#include <algorithm>

#include "engine/run/method.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {

// Of one attention layer and image, in double: the pattern (heads, tokens, tokens), values (tokens, value heads ·
// width) and ∂f/∂y (tokens, heads · width).
struct Layer {
  const double *pattern, *values, *gradient;
  int64_t heads, value_heads, tokens, width;

  // C row by row: to[j] = mean over heads of max(0, A_ij ∂f/∂A_ij).
  void relevance(int64_t i, double* to) const {
    std::fill_n(to, tokens, 0.0);
    for (int64_t h = 0; h < heads; ++h) {
      const double* a = pattern + (h * tokens + i) * tokens;
      const double* g = gradient + (i * heads + h) * width;
      const double* v = values + h * value_heads / heads * width;
      for (int64_t j = 0; j < tokens; ++j) {
        double slope = 0;
        for (int64_t c = 0; c < width; ++c) slope += g[c] * v[j * value_heads * width + c];
        to[j] += std::max(0.0, a[j] * slope) / static_cast<double>(heads);
      }
    }
  }
};

// row · (I + C).
void through(std::vector<double>& row, const Layer& layer) {
  const int64_t tokens = layer.tokens;
  std::vector<double> c(static_cast<size_t>(tokens * tokens));
  parallel_for(tokens, [&](int64_t i) { layer.relevance(i, c.data() + i * tokens); });
  std::vector<double> next = row;
  for (int64_t i = 0; i < tokens; ++i)
    for (int64_t j = 0; j < tokens; ++j)
      next[static_cast<size_t>(j)] += row[static_cast<size_t>(i)] * c[static_cast<size_t>(i * tokens + j)];
  row = std::move(next);
}

}  // namespace

Tensor attention_relevance(Network& net, const Tensor& x, const Target& target) {
  expect_images(net, x);
  const Graph& graph = net.graph();
  const AttentionLayers attention = attention_layers(graph, x.shape());
  if (!attention.missing.empty())
    throw UsageError("attention_relevance does not suit " + net.name() + ": " + attention.missing);
  const TokenGrid& grid = attention.tokens;
  const int64_t places = grid.height * grid.width;
  const Tensor map(Dtype::f64, {x.shape()[0], grid.height, grid.width});
  Purpose purpose{.gradients = attention.layers};
  for (const NodeId n : attention.layers) {
    purpose.values.push_back({n, 1});
    purpose.values.push_back(graph.node(n).inputs[2]);
  }
  ScorePass pass{net, x.shape(), purpose, target};
  const auto take = [&](Execution& e, int64_t begin) {
    const int64_t count = e.plan().batch();
    std::vector<std::vector<double>> rows(static_cast<size_t>(count),
                                          std::vector<double>(static_cast<size_t>(1 + places)));
    for (auto& row : rows) row[0] = 1;
    for (auto n = attention.layers.rbegin(); n != attention.layers.rend(); ++n) {
      const Tensor pattern = e.value({*n, 1}).to(Dtype::f64), gradient = e.gradient(*n).to(Dtype::f64),
                   values = e.value(graph.node(*n).inputs[2]).to(Dtype::f64);
      const int64_t heads = pattern.shape()[1], width = gradient.shape().back() / heads;
      for (int64_t i = 0; i < count; ++i)
        through(rows[static_cast<size_t>(i)],
                {pattern.row(i).values<const double>().data(), values.row(i).values<const double>().data(),
                 gradient.row(i).values<const double>().data(), heads, values.shape().back() / width,
                 pattern.shape()[2], width});
    }
    for (int64_t i = 0; i < count; ++i)
      std::copy_n(rows[static_cast<size_t>(i)].begin() + 1, places,
                  map.values<double>().data() + (begin + i) * places);
  };
  pass.run(
      x.shape()[0], [&](int64_t begin, int64_t end) { return x.slice(begin, end); }, take);
  return map.to(net.device().compute_dtype());
}

extern const Method attention_relevance_method;
const Method attention_relevance_method{
    .name = "attention_relevance",
    .summary =
        "attention through all layers, weighted by what it does for the class, for vision transformers",
    .source =
        "Chefer, Gur & Wolf 2021, Generic attention-model explainability for interpreting bi-modal and "
        "encoder-decoder transformers",
    .options = {},
    .unsuited = [](const ImageModel& model, const Shape& input,
                   const Options&) -> std::optional<std::string> {
      const AttentionLayers attention = attention_layers(model.graph(), input);
      if (attention.missing.empty()) return std::nullopt;
      return attention.missing;
    },
    .unsuited_target = [](const ImageModel&, const Target& target,
                          const Options&) -> std::optional<std::string> {
      if (!target.is_unit()) return std::nullopt;
      return "it follows attention to the class token, not to " + target.words();
    },
    .run = [](const Question& q, const Options&) -> Explanation {
      const Graph& graph = q.model.graph();
      const TokenGrid grid = attention_layers(graph, q.input.shape()).tokens;
      return {{{"attention_relevance",
                attention_relevance(q.model, q.input, q.target).row(0),
                {.style = Picture::Style::evidence, .grid = patch_squares(graph, grid)},
                "Warm where the patches are from which attention brought the class token what speaks for the "
                "class."}},
              {}};
    }};

}  // namespace loupe
