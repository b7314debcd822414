// SignalSum: a weighted sum of many gradients at one node, in memory that does not grow with their number.
//
// Where what leads from the input to the rest of the network is one convolution, with a batch norm or without, that is
// linear but for a constant: the sum of the inputs' gradients is its transpose of the sum of the signals at its
// output. The signals are added up there, and it runs backward once in the end instead of once for each gradient,
// exact up to rounding.
#pragma once
#include <optional>
#include <vector>

#include "engine/run/network.h"

namespace loupe {

/// The convolution that alone reads the input, or the batch norm that alone reads that; none where there is no such
/// beginning, or it ends at or behind `before`.
std::optional<NodeId> affine_beginning(const Graph& graph, NodeId before);

class SignalSum {
 public:
  /// Of gradients at node `at`, one sum for each of `images` inputs like `one` (1, …), of scores at `target`. A rule that
  /// has rows of its own for the beginning runs it for each gradient.
  SignalSum(Network& net, const Shape& one, int64_t images, NodeId at, NodeId target,
            const Rule& rule = gradient_rule());

  /// Where the signals are taken: what a purpose names as its gradient.
  NodeId node() const { return node_; }
  /// Row r of a batch whose way back is done belongs to images[r] and counts weights[r] times; 0: not at all. Sums are
  /// in double and in the order of rows, so batches do not matter.
  void add(Execution& pass, std::span<const int64_t> images, std::span<const double> weights);
  /// The sums at node `at`, (images, …), f64. Runs the beginning's way back, where there is one.
  Tensor total();

 private:
  Network& net_;
  Shape one_;
  NodeId at_, node_;
  bool in_place_;                          // read where they lie, in the layout they have
  Array like_ = {};                        // of a batch
  std::vector<std::vector<double>> sums_;  // by image
};

}  // namespace loupe
