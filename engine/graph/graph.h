// Graph says what a network computes: named nodes, the op of each, and where its inputs come from. No
// algorithm, no memory and no weights are in it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "kernels/common/op.h"

namespace loupe {

using NodeId = int;

struct Node {
  std::string name;  // as torchvision names the module: "features.0"
  OpPtr op;          // null: an input of the graph
  std::vector<NodeId> inputs;
  Shape shape;                            // for a batch of one
  std::vector<ParameterSpec> parameters;  // with full names: "features.0.weight"
  Dtype dtype = Dtype::f32;               // of an input; f32 stands for "the device's float"
};

class Graph {
 public:
  /// An input of shape (1, …).
  NodeId input(std::string name, Shape shape, Dtype dtype = Dtype::f32);
  /// Appends a node; inputs are earlier nodes. Throws UsageError, naming the node, if the shapes do not fit
  /// or the name is taken.
  NodeId add(std::string name, OpPtr op, std::vector<NodeId> inputs);
  /// The node whose value is the network's result (logits); the last added if never called.
  void set_output(NodeId id) { output_ = id; }

  NodeId output() const { return output_ >= 0 ? output_ : size() - 1; }
  int size() const { return static_cast<int>(nodes_.size()); }
  const Node& node(NodeId id) const { return nodes_.at(static_cast<size_t>(id)); }
  std::vector<NodeId> inputs() const;
  std::vector<NodeId> consumers(NodeId id) const;

  /// The node of that name, or the last node inside the module of that name ("layer4", "features.12"). Throws
  /// UsageError with near names.
  NodeId find(const std::string& name) const;
  std::optional<NodeId> try_find(const std::string& name) const;

  /// Shapes of all nodes for a batch of n.
  std::vector<Shape> shapes(int64_t n) const;
  /// Shapes of a node's inputs for a batch of n.
  std::vector<Shape> input_shapes(NodeId id, int64_t n = 1) const;
  /// Every parameter, in node order.
  std::vector<ParameterSpec> parameters() const;

 private:
  std::vector<Node> nodes_;
  NodeId output_ = -1;
};

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

/// Multiply-accumulates of one image, of a node.
int64_t macs(const Graph&, NodeId);
/// How many numbers of a node are learned: weights and biases, without a batch norm's running statistics.
int64_t learned_parameters(const Node&);

}  // namespace loupe
