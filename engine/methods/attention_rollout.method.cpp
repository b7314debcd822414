// Attention rollout: the patterns of all attention layers, multiplied, tell from where the class token may
// have what it holds at the end.
#include "engine/methods/attention_rollout.h"

#include <algorithm>

#include "engine/run/method.h"

namespace loupe {

AttentionLayers attention_layers(const Graph& graph, const Shape& input) {
  AttentionLayers found;
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op && graph.node(n).op->kind().name == "attention") found.layers.push_back(n);
  if (found.layers.empty()) {
    found.missing = "it has no attention";
    return found;
  }
  const std::vector<Shape> shapes = graph.shapes(input);
  for (const NodeId n : found.layers) {
    const auto tokens = [&](size_t operand) {
      return shapes[static_cast<size_t>(graph.node(n).inputs[operand].node)][1];
    };
    if (graph.node(n).types.size() < 2)
      found.missing = "'" + graph.node(n).name + "' does not hand out its pattern";
    else if (tokens(0) != tokens(1) ||
             shapes[static_cast<size_t>(n)] != shapes[static_cast<size_t>(found.layers[0])])
      found.missing = "not all of its attention is among the same tokens ('" + graph.node(n).name + "')";
    if (!found.missing.empty()) return found;
  }
  const auto grid = token_grid(graph, found.layers.front(), input);
  if (grid && grid->first == 1)
    found.tokens = *grid;
  else
    found.missing = "its tokens are not a class token and the patches of a picture";
  return found;
}

namespace {

// row · Ã of one layer: `pattern` (heads, tokens, tokens), of which each row sums to 1 on its own.
std::vector<double> through(const std::vector<double>& row, const double* pattern, int64_t heads) {
  const size_t tokens = row.size();
  std::vector<double> next(tokens), mean(tokens);
  for (size_t i = 0; i < tokens; ++i) {
    std::fill(mean.begin(), mean.end(), 0.0);
    for (int64_t h = 0; h < heads; ++h) {
      const double* a = pattern + (static_cast<size_t>(h) * tokens + i) * tokens;
      for (size_t j = 0; j < tokens; ++j) mean[j] += a[j];
    }
    double sum = 0;
    for (size_t j = 0; j < tokens; ++j) {
      mean[j] = mean[j] / static_cast<double>(heads) + (i == j ? 1.0 : 0.0);
      sum += mean[j];
    }
    for (size_t j = 0; j < tokens; ++j) next[j] += row[i] * (mean[j] / sum);
  }
  return next;
}

}  // namespace

Tensor attention_rollout(Network& net, const Tensor& x) {
  expect_images(net, x);
  const AttentionLayers attention = attention_layers(net.graph(), x.shape());
  if (!attention.missing.empty())
    throw UsageError("attention_rollout does not suit " + net.name() + ": " + attention.missing);
  const TokenGrid& grid = attention.tokens;
  const auto places = static_cast<size_t>(grid.height * grid.width);
  const Tensor map(Dtype::f64, {x.shape()[0], grid.height, grid.width});

  Purpose purpose;
  for (const NodeId n : attention.layers) purpose.values.push_back({n, 1});
  in_batches(net, x.shape(), x.shape()[0], purpose, {}, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(x.shape().with(0, end - begin), purpose);
    pass.forward(x.slice(begin, end));
    // The class token's row of the product, from the left: the last layer first.
    std::vector<std::vector<double>> rows(static_cast<size_t>(end - begin), std::vector<double>(1 + places));
    for (auto& row : rows) row[0] = 1;
    for (auto n = attention.layers.rbegin(); n != attention.layers.rend(); ++n) {
      const Tensor pattern = pass.value({*n, 1}).to(Dtype::f64);
      const int64_t image = pattern.numel() / pattern.shape()[0];
      for (size_t i = 0; i < rows.size(); ++i)
        rows[i] = through(rows[i], pattern.values<double>().data() + static_cast<int64_t>(i) * image,
                          pattern.shape()[1]);
    }
    for (size_t i = 0; i < rows.size(); ++i)
      std::copy(rows[i].begin() + 1, rows[i].end(),
                map.values<double>().data() + (static_cast<size_t>(begin) + i) * places);
  });
  return map.to(net.device().compute_dtype());
}

extern const Method attention_rollout_method;
const Method attention_rollout_method{
    .name = "attention_rollout",
    .summary =
        "where the class token's attention leads through all layers, for vision transformers; the same for "
        "every class",
    .source = "Abnar & Zuidema 2020, Quantifying attention flow in transformers",
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
      return {{{"attention_rollout",
                attention_rollout(q.model, q.input).row(0),
                {.style = Picture::Style::evidence, .grid = patch_squares(graph, grid)},
                "Warm where the patches are that attention, followed through all layers, leads to. It is the "
                "same map for "
                "every class."}},
              {}};
    }};

}  // namespace loupe
