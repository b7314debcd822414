// Tape: what the way back from any unit of a picture needs of the picture's forward pass.
#pragma once
#include <cstdint>
#include <map>
#include <span>

#include "engine/neurons/map_window.h"
#include "engine/run/network.h"

namespace loupe {

/// Masks and switches of one picture's forward pass, as the pass laid them.
class Tape {
 public:
  /// Of a picture (1, C, H, W), for units of any of the layers; one forward pass.
  static Tape record(Network& network, const Tensor& x, std::span<const NodeId> layers);

  /// Of node n, (1, C, H, W). Throws std::out_of_range for one that has none.
  const Array& at(NodeId n) const { return records_.at(n).array; }
  int64_t bytes() const;

 private:
  std::map<NodeId, OwnArray> records_;
};

}  // namespace loupe
