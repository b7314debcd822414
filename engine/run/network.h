// Network: a graph with its weights on a device, ready to run for inputs of any size that it fits.
#pragma once
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/plan/plan.h"
#include "engine/run/execution.h"
#include "engine/run/recall.h"
#include "engine/run/weights.h"
#include "engine/tensor/tensor.h"

namespace loupe {

class Network {
 public:
  /// `parameters` holds every parameter of the graph by its full name. Throws Error naming what is missing or
  /// misshapen; others are ignored. Throws Error, too, where the device cannot be used here.
  Network(std::string name, Graph graph, std::map<std::string, Tensor> parameters, Device device,
          const KernelOptions& kernels = {});
  Network(Network&&) = default;

  const std::string& name() const { return name_; }
  const Graph& graph() const { return graph_; }
  Device device() const { return device_; }
  int64_t classes() const { return graph_.node(graph_.output()).shape().back(); }
  const PlanOptions& options() const { return options_; }

  /// Bytes that activations of one pass may take; 0: no limit. Long jobs choose their batch by it, results do
  /// not depend on it.
  int64_t memory_limit = 0;
  /// The largest batch that the graph can be run with; 0: any.
  int64_t batch_limit = 0;
  /// On cuda and sim: a pass that runs a second time is captured as a graph, and from then on queued whole
  /// with one call. The bits are the same.
  bool capture = true;

  /// A plan for inputs of these shapes, made once for them and each purpose and then reused.
  Execution& execution(const std::vector<Shape>& inputs, const Purpose& purpose);
  Execution& execution(const Shape& input, const Purpose& purpose) {
    return execution(std::vector<Shape>{input}, purpose);
  }
  /// Of a plan of another graph, which begins with the nodes of this network's and has its parameters
  /// (engine/plan/windows.h).
  Execution& execution(const std::shared_ptr<const Plan>& plan);
  /// Whether the plan's arena fits memory_limit and, on cuda and sim, the device's free memory beside the
  /// weights; both are then reserved.
  bool fits(const Plan& plan);
  /// The largest batch ≤ `wanted` of inputs like `one` whose arena fits memory_limit and, on cuda and sim,
  /// the device's free memory beside the weights; both are then reserved. Throws Error with the sizes if one
  /// image does not fit.
  /// Of inputs that go in groups of `together`, it is a multiple of that, and the same is said of one group.
  int64_t batch_for(const Shape& one, int64_t wanted, const Purpose& purpose, int64_t together = 1);

  /// The network's result (N, classes) of x (N, 3, H, W).
  Tensor logits(const Tensor& x);

  /// Parameters: see Weights.
  const Tensor& parameter(const std::string& name) const { return weights_.tensor(name); }
  Array trainable(const std::string& name) { return weights_.trainable(name); }
  void set_parameter(const std::string& name, const Tensor& values) { weights_.set(name, values); }
  void parameters_changed() { weights_.changed(graph_); }
  /// The device and this network's stream of it; nothing for ref and cpu.
  const Queue& queue() const { return queue_; }
  /// Bytes of the weights as the kernels read them, made so far.
  int64_t packed_bytes() const { return weights_.bytes(); }
  /// Gives back the memory of passes, and what they computed; the next one takes its own.
  void release_arena();
  /// Images of the last forward pass, and how many passes, or halves of one, were queued as graphs so far.
  int64_t last_batch() const { return last_batch_; }
  int64_t replays() const { return replays_; }
  /// Forward passes that were computed so far, those that a Recall put back not counted.
  int64_t forward_passes() const { return forward_passes_; }

 private:
  friend class Execution;
  friend class Recall;
  Network(std::string name, Graph graph, std::map<std::string, Tensor> parameters, Device device,
          const KernelOptions& kernels, std::shared_ptr<void> stream);
  /// Makes the weights and the arena of a plan. Throws DeviceOutOfMemory with the sizes.
  void prepare(const Plan& plan) { prepare_weights(plan), prepare_arena(plan); }
  void prepare_weights(const Plan& plan);
  void prepare_arena(const Plan& plan);
  DeviceOutOfMemory lacks(const std::string& who, int64_t bytes, const std::string& advice) const;
  bool is_roomy(const Plan& plan) const;
  int64_t groups_within_limit(const Shape& group, int64_t wanted, const Purpose& purpose);
  std::shared_ptr<const Plan> plan_for(const std::vector<Shape>& inputs, const Purpose& purpose);

  std::string name_;
  Graph graph_;
  Device device_;
  PlanOptions options_;
  Queue queue_;
  Weights weights_;
  std::list<std::pair<std::string, std::shared_ptr<const Plan>>> plans_;  // most recent first
  // Most recent first. Executions point back at their network, so a network that is moved starts without any.
  struct Executions : std::list<std::unique_ptr<Execution>> {
    Executions() = default;
    Executions(Executions&&) noexcept {}
  } executions_;
  std::shared_ptr<Storage> arena_;
  uint64_t ticket_ = 0;  // of the execution that last ran
  int64_t last_batch_ = 0, replays_ = 0, forward_passes_ = 0;
  Recall* recall_ = nullptr;      // the innermost that lives
  std::shared_ptr<void> stream_;  // last, so that its work ends before the memory goes
};

/// Seeds for backward passes, all in float64 and of shape (N, …) = `shape`.
/// 1 at class classes[n] of image n; shape (N, classes), or (N, classes, H, W) with 1 at every position.
Tensor seed_channels(const Shape& shape, std::span<const int64_t> channels);
/// 1 at one channel and one position of every image.
Tensor seed_position(const Shape& shape, int64_t channel, int64_t y, int64_t x);

}  // namespace loupe
