// Network: a graph with its weights on a device, ready to run. Execution: one plan of it, forward and
// backward.
#pragma once
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/image/preprocess.h"
#include "engine/run/plan.h"
#include "engine/tensor/tensor.h"

namespace loupe {

class Network;

/// Runs one plan. Tensors are the host's; on cuda and sim inputs go up to the device, and what is read comes
/// down. The arena belongs to the network and is shared by its executions: what an execution computed is good
/// until another execution of the same network runs (reading it later is an Error, never a wrong answer).
class Execution {
 public:
  Execution(Network& network, std::shared_ptr<const Plan> plan);

  const Plan& plan() const { return *plan_; }
  /// Inputs in the order of graph().inputs(), each (batch, …) with the plan's batch; f32, or f64 (u8 for u8
  /// inputs). Throws DeviceOutOfMemory with the sizes where the device cannot hold weights and activations.
  void forward(const std::vector<Tensor>& inputs);
  void forward(const Tensor& input) { forward(std::vector<Tensor>{input}); }
  /// Starts at purpose().from with `seed`, dL/d(its value), of the same shape. Once after each forward: it
  /// uses up the tape.
  void backward(const Tensor& seed);

  /// Copies, planar, in the device's type (f64 on ref, f32 elsewhere). Throw Error for nodes that the purpose
  /// did not name.
  Tensor value(NodeId) const;
  Tensor gradient(NodeId) const;
  /// dL/d(parameter `p` of a node), planar, where it lies: in the device's memory, good until another
  /// execution of the network runs. The purpose must say `parameters`.
  Array parameter_gradient(NodeId, size_t p) const;
  /// The tape's record, planar: of a ReLU (0/1) or of a max-pool (switches) u8, of a batch_norm_training its
  /// statistics in the device's type. Set it between forward and backward to inject another run's: records
  /// are ordinary tensors. After backward only those that the purpose named are left.
  Tensor record(NodeId) const;
  /// Where that record lies, in the device's memory, between forward and backward.
  Array record_in_place(NodeId) const;
  void set_record(NodeId, const Tensor&);
  /// Nodes that have a record in this plan.
  std::vector<NodeId> recorded() const;

 private:
  Array array(ValueId) const;
  Array planned(ValueId, NodeId, const char* what) const;
  Tensor read(ValueId, NodeId, const char* what) const;
  void write(ValueId, const Tensor&, const std::string& what);
  void store(const Tensor& from, const Array& to);
  void run(int begin, int end);
  void check_owner() const;
  void check_tape(const char* what) const;

  Network& network_;
  std::shared_ptr<const Plan> plan_;
  uint64_t ticket_ = 0;
  enum class Done : uint8_t { nothing, forward, backward } done_ = Done::nothing;
};

class Network {
 public:
  /// `parameters` holds every parameter of the graph by its full name, f32. Throws Error naming what is
  /// missing or misshapen; others are ignored. Throws Error, too, where the device cannot be used here.
  Network(std::string name, Graph graph, std::map<std::string, Tensor> parameters, Device device);
  Network(Network&&) = default;

  const std::string& name() const { return name_; }
  const Graph& graph() const { return graph_; }
  Device device() const { return device_; }
  int64_t classes() const { return graph_.node(graph_.output()).shape.back(); }

  Preprocessing preprocessing;
  std::vector<std::string> labels;  // one a class, or empty
  std::string trunk;                // the layer at the end of the convolutional trunk, for Grad-CAM
  /// Bytes that activations of one pass may take; 0: no limit. Long jobs choose their batch by it, results do
  /// not depend on it.
  int64_t memory_limit = 0;

  Tensor preprocess(const Image& image) const { return loupe::preprocess(image, preprocessing); }
  /// "jaguar", or "class 290" without labels.
  std::string label(int64_t cls) const;

  /// A plan for `batch` images, made once for each batch and purpose and then reused.
  Execution& execution(int64_t batch, const Purpose& purpose);
  /// The largest batch ≤ `wanted` whose arena fits memory_limit and, on cuda and sim, the device's free
  /// memory beside the weights; both are then reserved. Throws Error with the sizes if one image does not
  /// fit.
  int64_t batch_for(int64_t wanted, const Purpose& purpose);

  /// Logits (N, classes) of x (N, 3, H, W).
  Tensor logits(const Tensor& x);

  /// A parameter, f32 (f64 on ref once it was trained). Throws Error if there is none of that name.
  const Tensor& parameter(const std::string& full_name) const;
  /// Where a parameter lies, planar, in the device's memory and type, for an optimiser to write to; call
  /// parameters_changed() after that. The first call copies it there.
  Array trainable(const std::string& full_name);
  /// Every kernel sees what was written to trainable() parameters.
  void parameters_changed();
  /// Gives a trainable() parameter other values; call parameters_changed() after that.
  void set_parameter(const std::string& full_name, const Tensor& values);
  /// The device and this network's stream of it; nothing for ref and cpu.
  const Queue& queue() const { return queue_; }
  /// Bytes of the weights as the kernels read them, made so far.
  int64_t packed_bytes() const { return packed_bytes_; }

 private:
  friend class Execution;
  struct PackedKey {
    NodeId node;
    NodeId batch_norm;
    Direction direction;
    auto operator<=>(const PackedKey&) const = default;
  };
  struct Packed {
    std::vector<Shape> input_shapes;  // of the step that they were made for
    std::vector<std::shared_ptr<Storage>> storage = {};
    std::vector<Array> arrays = {};
    std::vector<int64_t> sizes = {};  // of parameters in a kernel's own format; 0: planar, as they are
    bool as_they_are = false;         // all of them, so that all directions share them
  };
  const std::vector<Array>& packed(const PlanStep& step);
  /// Makes the arrays, or fills those that are there.
  void pack(const PackedKey& key, Packed& packed);
  void upload(const Tensor& host, std::byte* to) const;
  /// Makes the weights and the arena of a plan. Throws DeviceOutOfMemory with the sizes.
  void prepare(const Plan& plan);
  void release_arena();
  int64_t batch_within_limit(int64_t wanted, const Purpose& purpose);
  /// weight, bias … of a node as planar doubles, with a batch norm folded in.
  std::vector<std::vector<double>> folded(NodeId node, NodeId batch_norm) const;

  std::string name_;
  Graph graph_;
  mutable std::map<std::string, Tensor> parameters_;  // of the host
  struct Trainable {
    std::shared_ptr<Storage> storage;
    Array array;
  };
  std::map<std::string, Trainable> trainable_;
  mutable std::set<std::string> stale_;  // trainable ones that the host has an old copy of
  Device device_;
  std::map<PackedKey, Packed> packed_;
  int64_t packed_bytes_ = 0;
  std::shared_ptr<const Plan> plan_for(int64_t batch, const Purpose& purpose);
  std::list<std::pair<std::string, std::shared_ptr<const Plan>>> plans_;  // most recent first
  // Most recent first. Executions point back at their network, so a network that is moved starts without any.
  struct Executions : std::list<std::unique_ptr<Execution>> {
    Executions() = default;
    Executions(Executions&&) noexcept {}
  } executions_;
  std::shared_ptr<Storage> arena_;
  uint64_t ticket_ = 0;  // of the execution that last ran
  Queue queue_;
  std::shared_ptr<void> stream_;  // last, so that its work ends before the memory goes
};

/// Seeds for backward passes, all in float64 and of shape (N, …) = `shape`.
/// 1 at class classes[n] of image n; shape (N, classes), or (N, classes, H, W) with 1 at every position.
Tensor seed_channels(const Shape& shape, std::span<const int64_t> channels);
/// 1 at one channel and one position of every image.
Tensor seed_position(const Shape& shape, int64_t channel, int64_t y, int64_t x);

}  // namespace loupe
