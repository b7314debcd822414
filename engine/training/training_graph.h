// The graph that is trained: a network's own, with batch norms that use the batch's statistics, and the loss
// behind its logits. Nodes and parameters keep their names, so that weights go from one to the other as they
// are.
#pragma once
#include "engine/graph/graph.h"

namespace loupe {

struct TrainingGraph {
  Graph graph;
  NodeId logits = -1;              // (N, classes)
  NodeId loss = -1;                // (N, 1): each image's cross-entropy with its row of the input "targets"
  std::vector<NodeId> norms = {};  // batch norms: their records are the batch's mean and variance
  std::vector<NodeId> relus = {};  // of any kind that has a mask
  std::vector<NodeId> learners = {};  // nodes with a weight
};

/// Plans of it should say `winograd` (KernelOptions): a good half of the time of 3×3 convolutions, and some
/// ten times the rounding error. Throws UsageError for a network whose result is not (N, classes), and for
/// one that drops at random, which training does not do yet.
TrainingGraph training_graph(const Graph& network);

}  // namespace loupe
