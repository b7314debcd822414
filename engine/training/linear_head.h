// A linear layer that learns to tell classes apart by features which stay as they are: the head of a network whose
// trunk is frozen.
#pragma once
#include <cstdint>
#include <span>

#include "engine/run/network.h"
#include "engine/run/passes.h"
#include "engine/training/trainer.h"

namespace loupe {

struct LinearHead {
  Tensor weight, bias;  // (classes, K), (classes), f32
  double loss = 0;      // mean of the last steps
};

/// Steps of `settings` with batches drawn from all rows in turn, in an order that the seed shuffles anew for each turn.
/// features: (N, K). Features are brought to mean 0 and deviation 1 for it, and the result is for features as they were.
/// Throws UsageError where settings or classes make no sense, and Diverged.
LinearHead train_linear_head(const Tensor& features, std::span<const int64_t> classes, int64_t class_count,
                             Device device, const TrainingSettings& settings, uint64_t seed,
                             const std::function<void(const StepReport&)>& after_step = {});

/// The value (N, K) of a node for images x (N, C, H, W), in batches.
Tensor features_of(Network& net, NodeId node, const Tensor& x);

}  // namespace loupe
