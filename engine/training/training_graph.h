// The graph that is trained: a network's own, with batch norms that use the batch's statistics, and the loss
// behind its logits. Nodes and parameters keep their names, so that weights go from one to the other as they
// are. What a loss is made of is a maker's affair: classification_graph(), next_token_graph().
#pragma once
#include <functional>
#include <span>

#include "engine/graph/graph.h"
#include "engine/tensor/tensor.h"
#include "engine/training/batches.h"

namespace loupe {

struct TrainingGraph {
  Graph graph;
  NodeId logits = -1;                 // (…, classes): a row for each of a batch's `classes`
  NodeId loss = -1;                   // a number for each row of logits
  std::vector<NodeId> norms = {};     // batch norms: their records are the batch's mean and variance
  std::vector<NodeId> relus = {};     // of any kind that has a mask
  std::vector<NodeId> learners = {};  // nodes with a weight
  /// What the input "targets" takes of a batch. Throws UsageError for a class that does not exist.
  std::function<Tensor(const Batch&)> targets = {};
};

/// Images to classes: each row's cross-entropy with the class, smoothed. Plans of it should say `winograd`
/// (KernelOptions): a good half of the time of 3×3 convolutions, and some ten times the rounding error. Throws
/// UsageError for a network whose result is not (N, classes), for one that drops at random, which training does not
/// do yet, and for a smoothing outside [0, 1).
TrainingGraph classification_graph(const Graph& network, double label_smoothing);

/// Tokens (N, L) to the next ones: each token's cross-entropy with the one behind it. Throws UsageError for a network
/// whose result is not (N, L, vocabulary), and for one that drops at random.
TrainingGraph next_token_graph(const Graph& network);

/// A distribution a row, (N, classes) f32: 1 − smoothing at the image's class, and `smoothing` shared by all
/// (Szegedy et al. 2016, "Rethinking the Inception architecture", §7). Throws UsageError for a class that
/// does not exist or a smoothing outside [0, 1).
Tensor smoothed_targets(std::span<const int64_t> classes, int64_t class_count, double smoothing);

}  // namespace loupe
