// Plan says how: for one graph, the types of its inputs, a backend and a purpose, the flat list of kernel
// calls, where every array lies in the arena, what the tape keeps, and why. Each step owns its Call, so what
// is printed is what runs. A plan holds no memory and no weights; Execution runs it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/plan/edit.h"
#include "engine/plan/rule.h"

namespace loupe {

/// What a pass is for. Nodes named here are never fused away.
struct Purpose {
  std::vector<Port> values = {};       // values to hand back after forward
  std::optional<NodeId> from = {};     // where a backward pass begins; none: forward only
  std::vector<NodeId> gradients = {};  // nodes (parameters too) whose gradient is wanted
  std::vector<NodeId> records =
      {};  // ReLU masks and pool switches to hand out or to inject, on top of what backward needs
  std::vector<Edit> edits = {};  // in the order of Execution::edit()
  /// Inputs that change from run to run while the others stay: Execution::again() takes new ones.
  std::vector<NodeId> varying = {};
  bool parameters = false;  // the gradient of every learned parameter is wanted, too (training)
  /// The values are looked at as soon as each is there, and are gone after the pass (Execution::forward with a look).
  bool passing = false;
  Rule rule = gradient_rule();
  /// A text that is the same for the same purpose.
  std::string key() const;
};

struct PlanOptions {
  bool fold_batch_norm = true;  // into the convolution before it
  bool fuse =
      true;  // functions and residual additions into the op before them, on the way back into the vjp after
  bool share_memory = true;  // in-place steps, and one place for values that do not live at the same time
  KernelOptions kernels = {};
  /// Folding and fusion on the fast backends; `ref` runs every node as it stands.
  static PlanOptions for_backend(Backend b) { return {b != Backend::ref, b != Backend::ref, true, {}}; }
};

/// One array of a plan. Several values may share a slot (views, in-place ops).
struct PlanValue {
  Type type;
  int slot = -1;
};

/// A stretch of the arena and the steps during which it is in use.
struct PlanSlot {
  int64_t bytes = 0, offset = 0;
  int first = 0, last = 0;
};

/// A weight as a step reads it: a parameter or constant of the graph, as it is, or operand `operand` (1
/// weight, 2 bias) of node `folded` with `batch_norm` folded into it; then transformed, if a rule's row says
/// so.
struct PlanWeight {
  NodeId node = -1;
  NodeId folded = -1, batch_norm = -1;
  int operand = 0;
  std::shared_ptr<const WeightTransform> transform = nullptr;
  bool exists() const { return node >= 0 || folded >= 0; }
};

/// What a step reads in the place of an op's operand.
struct PlanOperand {
  ValueId value = -1;  // −1: not a value, or one that this direction does not read
  PlanWeight weight = {};
  Shape shape = {};
  int packing = -1;  // of a weight: place in the step's Call::packing
};

struct PlanStep {
  NodeId node = -1;  // the node it serves, for people
  OpPtr op = nullptr;
  Direction direction = {};
  std::vector<PlanOperand> operands = {};
  std::vector<ValueId> outputs = {};       // forward: written; of a vjp: those that it reads
  std::vector<ValueId> grad_outputs = {};  // of a vjp
  ValueId grad = -1, record = -1, workspace = -1;
  Epilogue epilogue = {};
  ValueId residual = -1, epilogue_record = -1;
  Call call = {};
  std::string note = {};  // what was folded and fused, after call.describe
};

class Plan {
 public:
  /// `inputs`: the shapes of the graph's inputs, batch included, in the order of graph.inputs().
  Plan(const Graph& graph, std::vector<Shape> inputs, Backend backend, Purpose purpose, PlanOptions options);
  Plan(const Graph& graph, std::vector<Shape> inputs, Backend backend, Purpose purpose)
      : Plan(graph, std::move(inputs), backend, std::move(purpose), PlanOptions::for_backend(backend)) {}

  const Graph& graph() const { return graph_; }
  const std::vector<Shape>& inputs() const { return inputs_; }
  int64_t batch() const { return inputs_.at(0)[0]; }
  Backend backend() const { return backend_; }
  const Purpose& purpose() const { return purpose_; }

  const std::vector<PlanStep>& steps() const { return steps_; }
  /// Steps before this one are the forward pass.
  int forward_steps() const { return forward_steps_; }
  const PlanValue& value(ValueId id) const { return values_.at(static_cast<size_t>(id)); }
  const std::vector<PlanSlot>& slots() const { return slots_; }
  const PlanSlot& slot(int id) const { return slots_.at(static_cast<size_t>(id)); }

  /// The types of a node's outputs for these inputs.
  const std::vector<Type>& types(NodeId n) const { return types_.at(static_cast<size_t>(n)); }
  const Shape& shape(NodeId n) const { return types(n)[0].shape; }
  /// Where an output, a node's gradient and its tape record lie; −1 if the plan does not keep it.
  ValueId value_of(const Port& p) const;
  /// The forward step that writes an output; −1 where it is a view of another one, or the plan does not keep it.
  int step_of(const Port& p) const;
  /// Where an input of the graph goes, before any edit of it.
  ValueId input_value(NodeId n) const { return node_input_.at(static_cast<size_t>(n)); }
  ValueId gradient_of(NodeId n) const { return node_gradient_.at(static_cast<size_t>(n)); }
  ValueId record_of(NodeId n) const { return node_record_.at(static_cast<size_t>(n)); }
  /// The value that takes the seed of the backward pass.
  ValueId seed() const { return seed_; }
  /// Of cuda and sim, where the way back begins at scores (N, classes): the value, i32 (N), that takes the
  /// class of each image, for kernels/class_seed to write the seed by. −1 elsewhere.
  ValueId wanted() const { return wanted_; }

  /// Where an edit's mask and numbers go, and the step that makes it. Steps from there on are what an edit
  /// changes.
  struct PlannedEdit {
    ValueId mask = -1, numbers = -1;
    int step = -1;
  };
  const std::vector<PlannedEdit>& edits() const { return edits_; }
  /// The first step that reads one of the varying inputs; −1 without any.
  int varying_step() const { return varying_step_; }

  int64_t arena_bytes() const { return arena_bytes_; }
  /// Bytes that the tape (masks, switches, kept values) holds between forward and backward.
  int64_t tape_bytes() const { return tape_bytes_; }

 private:
  friend class PlanBuilder;
  Graph graph_;  // copies share the ops
  std::vector<Shape> inputs_;
  Backend backend_;
  Purpose purpose_;
  std::vector<std::vector<Type>> types_;
  std::vector<PlanStep> steps_;
  std::vector<PlanValue> values_;
  std::vector<PlanSlot> slots_;
  std::vector<std::vector<ValueId>> node_values_;
  std::vector<ValueId> node_gradient_, node_record_, node_input_;
  std::vector<PlannedEdit> edits_;
  ValueId seed_ = -1, wanted_ = -1;
  int forward_steps_ = 0, varying_step_ = -1;
  int64_t arena_bytes_ = 0, tape_bytes_ = 0;
};

}  // namespace loupe
