#include "models/text/head_factors.h"

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>

namespace loupe {
namespace {

// The weight of the norm that a node reads, and whether it takes the mean away; nothing where it reads no norm.
struct Norm {
  Tensor weight;
  bool centres;
};
std::optional<Norm> norm_before(const TextModel& model, NodeId reader) {
  const Graph& graph = model.network.graph();
  const Node& node = graph.node(graph.node(reader).inputs.at(0).node);
  if (node.kind != Node::Kind::op) return std::nullopt;
  const std::string_view kind = node.op->kind().name;
  if (kind != "rms_norm" && kind != "layer_norm") return std::nullopt;
  // BERT's stand behind a layer, so that what they norm is the stream itself: nothing comes between.
  if (model.config.family == "bert") return std::nullopt;
  return Norm{model.network.parameter(node.name + ".weight"), kind == "layer_norm"};
}

// rows [begin, begin + count) of a weight (outputs, inputs), the norm before it folded in.
template <typename T>
Tensor folded_rows(const Tensor& weight, int64_t begin, int64_t count, const std::optional<Norm>& norm) {
  const int64_t width = weight.shape()[1];
  Tensor out(std::is_same_v<T, double> ? Dtype::f64 : Dtype::f32, {count, width});
  const auto to = out.values<T>();
  for (int64_t r = 0; r < count; ++r) {
    double mean = 0;
    for (int64_t c = 0; c < width; ++c) {
      const double w = weight.item((begin + r) * width + c) * (norm ? norm->weight.item(c) : 1);
      to[static_cast<size_t>(r * width + c)] = static_cast<T>(w);
      mean += w / static_cast<double>(width);
    }
    if (!norm || !norm->centres) continue;
    for (int64_t c = 0; c < width; ++c) to[static_cast<size_t>(r * width + c)] -= static_cast<T>(mean);
  }
  return out;
}

// Columns [begin, begin + count) of a weight (outputs, inputs).
Tensor columns(const Tensor& weight, int64_t begin, int64_t count) {
  const int64_t height = weight.shape()[0], width = weight.shape()[1];
  Tensor out(Dtype::f64, {height, count});
  for (int64_t r = 0; r < height; ++r)
    for (int64_t c = 0; c < count; ++c)
      out.values<double>()[static_cast<size_t>(r * count + c)] = weight.item(r * width + begin + c);
  return out;
}

}  // namespace

HeadFactors head_factors(const TextModel& model, int64_t layer, int64_t head) {
  model.expect_head(layer, head);
  const TextConfig& c = model.config;
  const auto weight = [&](const char* part) -> const Tensor& {
    return model.network.parameter(block_node(layer, part) + ".weight");
  };
  // Queries and keys may be told their places behind the norm, which values never are.
  const std::optional<Norm> norm = norm_before(model, model.block(layer, "attention.value"));
  const int64_t d = c.head_width, shared = head / c.group();
  return {.query = folded_rows<double>(weight("attention.query"), head * d, d, norm),
          .key = folded_rows<double>(weight("attention.key"), shared * d, d, norm),
          .value = folded_rows<double>(weight("attention.value"), shared * d, d, norm),
          .output = columns(weight("attention.output"), head * d, d)};
}

std::vector<HeadFactors> all_head_factors(const TextModel& model) {
  std::vector<HeadFactors> all;
  for (int64_t l = 0; l < model.config.layers; ++l)
    for (int64_t h = 0; h < model.config.heads; ++h) all.push_back(head_factors(model, l, h));
  return all;
}

Tensor embedding_table(const TextModel& model) { return model.network.parameter("embedding.tokens.weight"); }

Tensor unembedding_table(const TextModel& model) {
  if (model.config.family == "bert")
    throw UsageError(model.network.name() + " has no logits, so that nothing of it leads to tokens");
  const Tensor& table =
      model.network.parameter(model.config.tied ? "embedding.tokens.weight" : "logits.weight");
  return folded_rows<float>(table, 0, table.shape()[0], norm_before(model, model.node("logits")));
}

}  // namespace loupe
