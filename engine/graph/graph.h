// Graph says what a network computes: named nodes (inputs, parameters, constants and ops) and where the
// operands of each op come from. No algorithm, no memory and no learned values are in it.
//
// A graph knows no sizes that belong to an input. Its inputs have *nominal* types, those that an architecture
// was made for, from which the sizes of parameters follow and at which people look at layers; a plan binds
// the sizes of a run.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"
#include "kernels/common/op.h"

namespace loupe {

using NodeId = int;

/// One output of a node. A node that stands alone means its first.
struct Port {
  NodeId node = -1;
  int output = 0;
  Port() = default;
  Port(NodeId n, int o = 0) : node(n), output(o) {}  // NOLINT: implicit on purpose
  friend auto operator<=>(const Port&, const Port&) = default;
};

struct Node {
  enum class Kind : uint8_t { input, parameter, constant, op };
  std::string name;  // as torchvision names the module: "features.0"; a parameter's: "features.0.weight"
  Kind kind = Kind::op;
  OpPtr op = nullptr;             // of an op
  std::vector<Port> inputs = {};  // its operands
  std::vector<Type> types = {};   // of its outputs, at the nominal sizes and for a batch of one
  ParameterSpec::Role role = ParameterSpec::Role::weight;  // of a parameter
  Tensor value = {};                                       // of a constant

  const Shape& shape() const { return types[0].shape; }
  /// A parameter or a constant: what is the same in every run.
  bool is_weight() const { return kind == Kind::parameter || kind == Kind::constant; }
};

class Graph {
 public:
  /// An input of the nominal shape (1, …).
  NodeId input(std::string name, Shape nominal, Dtype dtype = Dtype::f32);
  /// A parameter, which a file of weights holds under this name. Throws UsageError if the name is taken.
  NodeId parameter(std::string name, Shape shape, ParameterSpec::Role role = ParameterSpec::Role::weight);
  /// Values that belong to the architecture.
  NodeId constant(std::string name, Tensor value);
  /// Appends an op; its operands are earlier nodes. Parameters that the op has (Op::parameters) and that are
  /// not among the operands become nodes "name.weight" … before it. Throws UsageError, naming the node, if
  /// the types do not fit or the name is taken.
  NodeId add(std::string name, OpPtr op, std::vector<Port> operands);
  /// The node whose value is the network's result (logits); the last added if never called.
  void set_output(NodeId id) { output_ = id; }

  NodeId output() const { return output_ >= 0 ? output_ : size() - 1; }
  int size() const { return static_cast<int>(nodes_.size()); }
  const Node& node(NodeId id) const { return nodes_.at(static_cast<size_t>(id)); }
  std::vector<NodeId> inputs() const;
  std::vector<NodeId> consumers(NodeId id) const;

  /// The op or input of that name, or the last one inside the module of that name ("layer4", "features.12").
  /// Throws UsageError with near names.
  NodeId find(const std::string& name) const;
  std::optional<NodeId> try_find(const std::string& name) const;

  /// Types of all outputs of all nodes where the inputs, in the order of inputs(), have the shapes given.
  /// Throws UsageError naming the node that they do not fit.
  std::vector<std::vector<Type>> types(std::span<const Shape> inputs) const;
  /// Shapes of all nodes' first outputs, for one input of that shape or for the nominal sizes with a batch of
  /// n.
  std::vector<Shape> shapes(const Shape& input) const;
  std::vector<Shape> shapes(int64_t n) const;
  /// The nominal shapes of the inputs, with a batch of n.
  std::vector<Shape> input_shapes(int64_t n = 1) const;
  /// The nominal shapes of a node's operands.
  std::vector<Shape> operand_shapes(NodeId id) const;
  /// Parameter nodes that are operands of a node, in order; and all of the graph.
  std::vector<NodeId> parameters(NodeId id) const;
  std::vector<NodeId> parameters() const;

 private:
  NodeId append(Node node);
  std::vector<Node> nodes_;
  NodeId output_ = -1;
};

/// Whether what node `to` makes depends on node `from`.
bool leads_to(const Graph& graph, NodeId from, NodeId to);

/// Whether gradients teach it: all but a batch norm's running statistics.
bool is_learned(ParameterSpec::Role role);

/// The pixels of the graph's first input that one cell of a node sees: rows [offset + i·stride, offset +
/// i·stride + size). Offsets are negative where padding is seen.
struct ReceptiveField {
  bool whole = false;  // every cell sees all of the input
  Pair size{1};
  double stride_h = 1, stride_w = 1;
  double offset_h = 0, offset_w = 0;
};
/// One a node. A node that joins branches sees the union. (Araujo, Norris & Sim 2019, "Computing receptive
/// fields of convolutional neural networks".)
std::vector<ReceptiveField> receptive_fields(const Graph&);

/// Multiply-accumulates of one input of nominal size, of a node.
int64_t macs(const Graph&, NodeId);
/// How many numbers of a node are learned: weights and biases, without a batch norm's running statistics.
int64_t learned_parameters(const Graph&, NodeId);

}  // namespace loupe
