// Plan says how: for one graph, batch, backend and purpose, the flat list of kernel calls, where every array
// lies in the arena, what the tape keeps, and why. A plan holds no memory and no weights; Execution runs it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/run/rule.h"

namespace loupe {

/// What a pass is for. Nodes named here are never fused away.
struct Purpose {
  std::vector<NodeId> values = {};     // node values to hand back after forward
  std::optional<NodeId> from = {};     // where a backward pass begins; none: forward only
  std::vector<NodeId> gradients = {};  // nodes whose gradient is wanted
  std::vector<NodeId> records =
      {};  // ReLU masks and pool switches to hand out or to inject, on top of what backward needs
  bool parameters = false;  // the gradient of every learned parameter is wanted, too (training)
  Rule rule = gradient_rule();
  /// A text that is the same for the same purpose.
  std::string key() const;
};

struct PlanOptions {
  bool fold_batch_norm = true;  // into the convolution before it
  bool fuse_activation = true;  // into the op before it
  bool share_memory = true;     // in-place steps, and one place for values that do not live at the same time
  /// Folding and fusion on the fast backends; `ref` runs every node as it stands.
  static PlanOptions for_backend(Backend b) { return {b != Backend::ref, b != Backend::ref, true}; }
};

/// One array of a plan. Several values may share a block (views, in-place ops).
struct PlanValue {
  Dtype dtype = Dtype::f32;
  Shape shape;
  Layout layout = Layout::planar;
  int block = -1;
};

/// A stretch of the arena and the steps during which it is in use.
struct PlanBlock {
  int64_t bytes = 0, offset = 0;
  int first = 0, last = 0;
};

/// Which weights a step reads: all parameters of `node`, after folding `batch_norm` into them if that is
/// given.
struct PlanParameters {
  NodeId node = -1;
  std::optional<NodeId> batch_norm = {};
};

struct PlanStep {
  NodeId node = -1;  // the node it serves, for people
  OpPtr op = nullptr;
  Direction direction = Direction::forward;
  int input = 0;  // of vjp_input
  std::vector<ValueId> inputs = {};
  std::vector<Shape> input_shapes = {};  // also where an input's value is not kept
  ValueId output = -1, saved = -1, grad_output = -1, grad = -1, workspace = -1;
  Activation activation = {};
  PlanParameters parameters = {};
  std::string note = {};  // what was fused and why this algorithm
};

class Plan {
 public:
  Plan(const Graph& graph, int64_t batch, Backend backend, Purpose purpose, PlanOptions options);
  Plan(const Graph& graph, int64_t batch, Backend backend, Purpose purpose)
      : Plan(graph, batch, backend, std::move(purpose), PlanOptions::for_backend(backend)) {}

  const Graph& graph() const { return graph_; }
  int64_t batch() const { return batch_; }
  Backend backend() const { return backend_; }
  const Purpose& purpose() const { return purpose_; }

  const std::vector<PlanStep>& steps() const { return steps_; }
  /// Steps before this one are the forward pass.
  int forward_steps() const { return forward_steps_; }
  const PlanValue& value(ValueId id) const { return values_.at(static_cast<size_t>(id)); }
  const PlanBlock& block(int id) const { return blocks_.at(static_cast<size_t>(id)); }

  /// Where a node's value, its gradient and its tape record lie; -1 if the plan does not keep it.
  ValueId value_of(NodeId n) const { return node_value_.at(static_cast<size_t>(n)); }
  ValueId gradient_of(NodeId n) const { return node_gradient_.at(static_cast<size_t>(n)); }
  ValueId record_of(NodeId n) const { return node_record_.at(static_cast<size_t>(n)); }
  /// The value that takes the seed of the backward pass.
  ValueId seed() const { return seed_; }
  /// The gradient of a learned parameter, planar; `parameter` counts those of the node. In node order.
  struct ParameterGradient {
    NodeId node;
    size_t parameter;
    ValueId value;
  };
  const std::vector<ParameterGradient>& parameter_gradients() const { return parameter_gradients_; }

  int64_t arena_bytes() const { return arena_bytes_; }
  /// Bytes that the tape (masks, switches, kept values) holds between forward and backward.
  int64_t tape_bytes() const { return tape_bytes_; }

 private:
  friend class PlanBuilder;
  Graph graph_;  // copies share the ops
  int64_t batch_;
  Backend backend_;
  Purpose purpose_;
  std::vector<PlanStep> steps_;
  std::vector<PlanValue> values_;
  std::vector<PlanBlock> blocks_;
  std::vector<ValueId> node_value_, node_gradient_, node_record_;
  std::vector<ParameterGradient> parameter_gradients_;
  ValueId seed_ = -1;
  int forward_steps_ = 0;
  int64_t arena_bytes_ = 0, tape_bytes_ = 0;
};

}  // namespace loupe
