// Trainer: a network that learns, a step at a time, what a TrainingGraph asks of it: to tell classes apart, or to say
// the next token. A step is forward, loss, backward, clipping and the optimiser's update; everything that the next step depends on is in state(), so that training that
// stopped goes on bit for bit (with as many threads).
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/run/network.h"
#include "engine/training/batches.h"
#include "engine/training/training_graph.h"

namespace loupe {

struct TrainingSettings {
  int64_t steps = 1000;  // of the whole schedule
  int64_t batch = 64;

  enum class Optimizer : uint8_t { sgd, adamw };
  Optimizer optimizer = Optimizer::adamw;
  double momentum = 0.9;                          // sgd
  bool nesterov = false;                          // sgd
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // adamw
  double weight_decay = 0.01;                     // of weights; biases and batch norms are left alone

  double rate = 2e-3;            // the learning rate at its highest
  int64_t warmup = 100;          // steps until then
  double final_fraction = 0.01;  // of the rate, at the last step
  double clip = 5;               // the gradient's norm is at most this; 0: no limit
  double label_smoothing = 0.1;  // of classification_graph()
  double norm_momentum = 0.1;    // how fast running statistics follow the batches' (as PyTorch counts)
};
std::string_view optimizer_name(TrainingSettings::Optimizer);
/// "adamw" → adamw. Throws UsageError for an unknown name.
TrainingSettings::Optimizer parse_optimizer(const std::string& name);

/// What a step was like.
struct StepReport {
  int64_t step = 0;           // counted from 0
  double loss = 0;            // mean over the batch's rows of logits
  double accuracy = 0;        // share of them that was right before the update
  double rate = 0;            // learning rate
  double gradient_norm = 0;   // before clipping
  double parameter_norm = 0;  // after the update
  struct Layer {
    std::string name;
    double value;
  };
  std::vector<Layer> update_ratios = {};  // ‖change‖ / ‖weight‖ of each layer's weight
  std::vector<Layer> dead_relus = {};     // share of each ReLU's channels that were off in the whole batch
  double images_per_second = 0;           // or sequences; of this step, once its batch was there
};

/// Thrown where the loss or the gradient is not finite, and the parameters are left as they were before the
/// step; and where the step made parameters that are not finite.
class Diverged : public Error {
 public:
  using Error::Error;
};

/// All that training needs to go on.
struct TrainingState {
  int64_t next_step = 0;
  std::map<std::string, Tensor> tensors;  // parameters by their names, optimiser state as "momentum/<name>" …
};

class Trainer {
 public:
  /// `parameters` as for a Network. Throws UsageError for settings that make no sense.
  Trainer(std::string name, TrainingGraph graph, std::map<std::string, Tensor> parameters, Device device,
          TrainingSettings settings);

  /// Throws Diverged.
  StepReport step(const Batch& batch);
  int64_t next_step() const { return next_step_; }
  const TrainingSettings& settings() const { return settings_; }

  TrainingState state() const;
  /// Throws Error, naming the tensor, and changes nothing if the state is not one of this network and
  /// optimiser.
  void restore(const TrainingState& state);
  /// Parameters as a Network of the same architecture takes them; copies.
  std::map<std::string, Tensor> parameters() const;

 private:
  struct Learned {
    std::string name;
    NodeId parameter;
    std::string layer;  // the node that reads it
    bool decays;
    Array values;              // in the device's memory
    std::vector<Array> state;  // momentum; or first and second moments
    std::vector<std::shared_ptr<Storage>> storage;
  };
  void update_statistics(const Execution& pass);
  void update(const Learned& l, const Array& gradient, double rate, double scale, double* squares);
  std::vector<StepReport::Layer> dead_relus(const Execution& pass) const;
  /// The first `count` numbers of an array in the device's memory.
  Tensor read(const Storage& from, Dtype type, int64_t count) const;

  TrainingGraph graph_;
  TrainingSettings settings_;
  Network network_;
  Purpose purpose_;
  std::vector<Learned> learned_;
  // In the device's memory: sums of squares, two a learned parameter; whether each channel of each ReLU is
  // on.
  std::shared_ptr<Storage> sums_, workspace_, on_;
  int64_t next_step_ = 0;
};

}  // namespace loupe
