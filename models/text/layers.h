// What the families of text models are written with: a graph that grows, under the names of nodes.h.
#pragma once
#include <optional>
#include <string>

#include "engine/graph/graph.h"
#include "models/text/config.h"
#include "models/text/nodes.h"

namespace loupe {

class TextBuilder {
 public:
  /// Starts with the input "ids".
  explicit TextBuilder(const TextConfig& config);

  const TextConfig& config() const { return c_; }
  Graph graph;
  NodeId ids() const { return ids_; }

  /// The table of tokens as a parameter, and its rows "embedding.tokens".
  NodeId tokens();
  NodeId add(const std::string& name, OpPtr op, std::vector<Port> operands) {
    return graph.add(name, std::move(op), std::move(operands));
  }
  NodeId linear(const std::string& name, NodeId x, int64_t outputs, bool bias);
  /// A layer norm `node`, whose parameters are named `parameters`.
  NodeId layer_norm(const std::string& node, const std::string& parameters, NodeId x);
  NodeId rms_norm(const std::string& name, NodeId x);
  /// "blocks.<layer>.attention.query", .key and .value; queries and keys of `placed`, values of `x`.
  struct Heads {
    NodeId query, key, value;
  };
  Heads heads(int64_t layer, NodeId placed, NodeId x, bool bias);
  /// "blocks.<layer>.attention" and its product ".output".
  NodeId attention(int64_t layer, Heads heads, bool causal, bool bias, std::optional<NodeId> padding = {});
  /// "blocks.<layer>.mlp.activation" of x, with TextConfig::activation.
  NodeId activation(int64_t layer, NodeId x);
  /// "logits" of x.
  void head(NodeId x);

 private:
  TextConfig c_;
  NodeId ids_ = -1, table_ = -1;
};

/// Our name for a function that config.json or a GGUF file names. Throws Error, which starts with `who`, for others.
std::string activation_name(const std::string& stored, const std::string& who);

}  // namespace loupe
