#include "models/text/layers.h"

#include <algorithm>
#include <iterator>

#include "kernels/attention/attention.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/embedding/embedding.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/linear/linear.h"
#include "kernels/rms_norm/rms_norm.h"

namespace loupe {

using Role = ParameterSpec::Role;

namespace {

constexpr int64_t kNominal = 64;  // tokens at which people look at layers

struct Activation {
  const char* name;
  OpPtr (*make)();
};
const Activation kActivations[] = {
    {"silu", [] { return silu(); }},
    {"gelu", [] { return gelu(); }},
    {"gelu_tanh", [] { return gelu_tanh(); }},
    {"relu", [] { return relu(); }},
};

}  // namespace

TextBuilder::TextBuilder(const TextConfig& config) : c_(config) {
  ids_ = graph.input("ids", {1, std::min(kNominal, c_.positions)}, Dtype::i32);
}

NodeId TextBuilder::tokens() {
  table_ = graph.parameter("embedding.tokens.weight", {c_.vocabulary, c_.width}, Role::table);
  return add("embedding.tokens", embedding({.count = c_.vocabulary, .width = c_.width}), {ids_, table_});
}

NodeId TextBuilder::linear(const std::string& name, NodeId x, int64_t outputs, bool bias) {
  return add(name, loupe::linear({.out_features = outputs, .bias = bias}), {x});
}

NodeId TextBuilder::layer_norm(const std::string& node, const std::string& parameters, NodeId x) {
  const NodeId weight = graph.parameter(parameters + ".weight", {c_.width}, Role::norm_weight);
  const NodeId bias = graph.parameter(parameters + ".bias", {c_.width}, Role::norm_bias);
  return add(node, loupe::layer_norm({.eps = c_.eps}), {x, weight, bias});
}

NodeId TextBuilder::rms_norm(const std::string& name, NodeId x) {
  return add(name, loupe::rms_norm({.eps = c_.eps}), {x});
}

TextBuilder::Heads TextBuilder::heads(int64_t layer, NodeId placed, NodeId x, bool bias) {
  const int64_t queries = c_.heads * c_.head_width, keys = c_.kv_heads * c_.head_width;
  return {linear(block_node(layer, "attention.query"), placed, queries, bias),
          linear(block_node(layer, "attention.key"), placed, keys, bias),
          linear(block_node(layer, "attention.value"), x, keys, bias)};
}

NodeId TextBuilder::attention(int64_t layer, Heads h, bool causal, bool bias, std::optional<NodeId> padding) {
  std::vector<Port> operands{h.query, h.key, h.value};
  if (padding) operands.emplace_back(*padding);
  const NodeId z = add(block_node(layer, "attention"),
                       loupe::attention({.heads = c_.heads,
                                         .kv_heads = c_.kv_heads,
                                         .causal = causal,
                                         .padding = padding.has_value(),
                                         .pattern = true}),
                       operands);
  return linear(block_node(layer, "attention.output"), z, c_.width, bias);
}

NodeId TextBuilder::activation(int64_t layer, NodeId x) {
  const auto* found =
      std::ranges::find_if(kActivations, [&](const Activation& a) { return c_.activation == a.name; });
  if (found == std::end(kActivations))
    throw UsageError("text models have no activation '" + c_.activation + "'");
  return add(block_node(layer, "mlp.activation"), found->make(), {x});
}

void TextBuilder::head(NodeId x) {
  std::vector<Port> operands{x};
  if (c_.tied) operands.emplace_back(table_);
  graph.set_output(add("logits", loupe::linear({.out_features = c_.vocabulary, .bias = false}), operands));
}

std::string activation_name(const std::string& stored, const std::string& who) {
  if (stored == "silu" || stored == "swish") return "silu";
  if (stored == "gelu" || stored == "relu") return stored;
  if (stored == "gelu_new" || stored == "gelu_fast" || stored == "gelu_pytorch_tanh" || stored == "gelu_tanh")
    return "gelu_tanh";
  throw Error(who + " has the activation '" + stored + "'; Loupe reads silu, gelu, gelu_new and relu");
}

}  // namespace loupe
