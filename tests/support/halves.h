// A network that can be cut in two: whatever is done in the middle of a pass can then be done by hand between
// the halves.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tests/support/networks.h"

namespace loupe::test {

/// Stages one after the other, each of one value.
struct Chain {
  using Stage = std::function<NodeId(Graph&, NodeId)>;
  Shape input;  // (1, …)
  std::vector<Stage> stages;

  /// Stages [first, last), whose input has that shape. Parameters are called the same in every part, so that
  /// formula weights are.
  Graph part(size_t first, size_t last, const Shape& from) const;
  Graph whole() const { return part(0, stages.size(), input); }
  /// The node that a stage ends with, in the whole graph.
  NodeId end_of(size_t stage) const;
  Graph before(size_t stage) const { return part(0, stage + 1, input); }
  Graph after(size_t stage) const;
};

/// Convolutions, a residual sum, a pool and a linear layer; 17 channels, which a CPU keeps in two blocks.
/// (1, 3, 9, 11) → 4 classes. Stages: conv1, relu1, a residual block, pool, flatten, fc.
Chain maps_chain();
/// Six tokens of width 8, attention with two heads. (1, 3, 12, 8) → 4 classes. Stages: tokens, heads, out,
/// norm, head.
Chain tokens_chain();

}  // namespace loupe::test
