#include "engine/graph/heads.h"

#include <algorithm>
#include <optional>

#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"

namespace loupe {

namespace {
// Copies nodes from one graph to another under their names.
class Copy {
 public:
  explicit Copy(const Graph& from) : from_(from), nodes_(static_cast<size_t>(from.size()), -1) {}

  const Graph& from() const { return from_; }
  bool has(NodeId n) const { return nodes_[static_cast<size_t>(n)] >= 0; }
  NodeId operator[](NodeId n) const { return nodes_[static_cast<size_t>(n)]; }
  /// Node n is that one of the copy.
  void set(NodeId n, NodeId copy) { nodes_[static_cast<size_t>(n)] = copy; }
  /// An operand that is a weight, in its own shape or in another, and made on first use.
  NodeId weight(NodeId n, const Shape& shape) {
    const Node& w = from_.node(n);
    if (has(n) && to_.node((*this)[n]).shape() != shape)
      throw UsageError("the parameter '" + w.name + "' is read in two shapes");
    if (!has(n))
      set(n, w.kind == Node::Kind::constant ? to_.constant(w.name, w.value.reshape(shape))
                                            : to_.parameter(w.name, shape, w.role));
    return (*this)[n];
  }
  /// Of an op's operand: a weight in its own shape.
  Port operand(const Port& p) {
    const Node& n = from_.node(p.node);
    return n.is_weight() ? Port(weight(p.node, n.shape())) : Port((*this)[p.node], p.output);
  }
  NodeId add(NodeId n, OpPtr op, std::vector<Port> operands) {
    set(n, to_.add(from_.node(n).name, std::move(op), std::move(operands)));
    return (*this)[n];
  }
  /// Inputs, and ops as they are. (Weights wait for who reads them.)
  void as_it_is(NodeId n) {
    const Node& node = from_.node(n);
    if (node.is_weight()) return;
    if (node.kind == Node::Kind::input)
      return set(n, to_.input(node.name, node.shape(), node.types[0].dtype));
    std::vector<Port> operands;
    for (const Port& p : node.inputs) operands.push_back(operand(p));
    add(n, node.op, std::move(operands));
  }
  Graph& graph() { return to_; }

 private:
  const Graph& from_;
  Graph to_;
  std::vector<NodeId> nodes_;
};

std::string_view kind_of(const Graph& graph, NodeId n) {
  return graph.node(n).op ? graph.node(n).op->kind().name : std::string_view("input");
}

// Rows (N, F) that are maps (N, …) in another shape.
bool flattens(const Graph& graph, NodeId n) {
  const std::string_view kind = kind_of(graph, n);
  if (kind != "flatten" && kind != "reshape") return false;
  const Shape in = graph.operand_shapes(n)[0], &out = graph.node(n).shape();
  return in.rank() == 4 && out.rank() == 2 && out[1] == in[1] * in[2] * in[3];
}

// The score's way down to the flattened maps passes these alone.
bool keeps_rows(const Graph& graph, NodeId n) {
  const std::string_view kind = kind_of(graph, n);
  return kind == "dropout" || kind == "linear" || kind == "batch_norm" || flattens(graph, n) ||
         (graph.node(n).op && graph.node(n).op->function() && graph.node(n).inputs.size() == 1);
}

// The head's nodes from the output down to the one that flattens. Throws UsageError for another head.
std::vector<NodeId> fully_connected(const Graph& graph) {
  std::vector<NodeId> head;
  bool linear = false;
  const auto refuse = [&](const std::string& why) {
    throw UsageError("this network has no fully connected head that could become convolutions: " + why);
  };
  for (NodeId n = graph.output();; n = graph.node(n).inputs[0].node) {
    if (!keeps_rows(graph, n))
      refuse("on the way from its scores to its maps comes '" + graph.node(n).name + "' (" +
             std::string(kind_of(graph, n)) + ")");
    head.push_back(n);
    linear |= kind_of(graph, n) == "linear";
    if (flattens(graph, n)) break;
  }
  const NodeId flat = head.back(), maps = graph.node(flat).inputs[0].node;
  const Shape& s = graph.node(maps).shape();
  if (!linear) refuse("its scores are maps already");
  if (s[2] * s[3] == 1)
    refuse("'" + graph.node(maps).name + "' leaves one place alone; --method cam shows what each place adds");
  return head;
}

bool is_left_out(const Graph& graph, NodeId flat, NodeId n) {
  return n == graph.node(flat).inputs[0].node && kind_of(graph, n) == "adaptive_avg_pool2d" &&
         graph.consumers(n).size() == 1;
}
}  // namespace

Graph dense_head(const Graph& graph) {
  const std::vector<NodeId> head = fully_connected(graph);
  const NodeId flat = head.back();
  const Shape maps = graph.operand_shapes(flat)[0];
  Pair window(maps[2], maps[3]);  // of the first linear layer; then 1×1
  Copy copy(graph);
  for (NodeId n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (is_left_out(graph, flat, n) || n == flat) {
      copy.set(n, copy[node.inputs[0].node]);
      continue;
    }
    if (std::ranges::count(head, n) == 0 || kind_of(graph, n) != "linear") {
      copy.as_it_is(n);
      continue;
    }
    const NodeId weight = node.inputs.at(1).node;
    const Shape& w = graph.node(weight).shape();
    const bool bias = node.inputs.size() > 2;
    std::vector<Port> operands{copy[node.inputs[0].node],
                               copy.weight(weight, {w[0], w[1] / (window.h * window.w), window.h, window.w})};
    if (bias) operands.push_back(copy.operand(node.inputs[2]));
    copy.add(n, conv2d({.out_channels = w[0], .kernel = window, .bias = bias}), std::move(operands));
    window = Pair(1);
  }
  Graph& dense = copy.graph();
  const NodeId scores = copy[graph.output()];
  const NodeId average = dense.add("head.average", global_avg_pool2d(), {scores});
  dense.set_output(dense.add("head.flatten", flatten(), {average}));
  return std::move(dense);
}

Graph pooled_features(const Graph& graph, NodeId trunk) {
  const Shape& maps = graph.node(trunk).shape();
  if (maps.rank() != 4)
    throw UsageError("a pooled head needs a trunk with maps, but '" + graph.node(trunk).name + "' is " +
                     maps.str());
  std::vector<bool> below(static_cast<size_t>(trunk) + 1, false);
  below.back() = true;
  for (NodeId n = trunk; n >= 0; --n)
    if (below[static_cast<size_t>(n)])
      for (const Port& p : graph.node(n).inputs) below[static_cast<size_t>(p.node)] = true;
  Copy copy(graph);
  for (NodeId n = 0; n <= trunk; ++n)
    if (below[static_cast<size_t>(n)]) copy.as_it_is(n);
  Graph& pooled = copy.graph();
  const NodeId average = pooled.add("head.average", global_avg_pool2d(), {copy[trunk]});
  pooled.set_output(pooled.add("head.flatten", flatten(), {average}));
  return std::move(pooled);
}

Graph pooled_head(const Graph& graph, NodeId trunk, int64_t classes) {
  Graph pooled = pooled_features(graph, trunk);
  pooled.set_output(pooled.add("head.fc", linear({.out_features = classes}), {pooled.output()}));
  return pooled;
}

std::map<std::string, Tensor> reshaped(const std::map<std::string, Tensor>& parameters, const Graph& graph) {
  std::map<std::string, Tensor> all;
  for (const NodeId id : graph.parameters()) {
    const Node& p = graph.node(id);
    if (const auto found = parameters.find(p.name); found != parameters.end())
      all.emplace(p.name, found->second.reshape(p.shape()));
  }
  return all;
}

}  // namespace loupe
