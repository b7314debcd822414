// WaysBack: reconstructions of many single units. Only what a unit can have come from is computed.
//
// A unit's cone is what it sees of each layer: one cell of its own, 3×3 below a convolution of 3×3, and so on down to its
// receptive field. The signal of a way back lies within, so the way is run on windows of the maps that hold the cone. It
// goes in stages, from one node that everything passes (an articulation of the graph) down to another: a stage is the
// same ops on a window, whose masks and switches are cut out of the whole picture's tape. Windows lie within the maps
// and begin at multiples of the stage's stride, so each cell is the cell that it is in the whole picture; what lies
// beyond a window's edge has no signal. Units of many pictures go in one batch, and no forward pass is computed for them.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/neurons/tape.h"
#include "engine/run/network.h"

namespace loupe {

struct UnitPlace {
  const Tape* tape;  // of the picture
  int64_t channel, y, x;
};

/// d(unit)/d(input) by a rule, where it is not zero for certain: (C, h, w) of the pixels from row y, column x on. What
/// lies outside is zero.
struct Reconstruction {
  Tensor values;
  int64_t y = 0, x = 0;
};

class WaysBack {
 public:
  /// For units of a layer with maps, and inputs of that shape (1, C, H, W). Throws UsageError where the network between
  /// has an op that sees all of its maps, or that needs more of the forward pass than a mask or a switch.
  WaysBack(Network& network, const Shape& input, NodeId layer);
  ~WaysBack();

  /// One for each unit, what `Target::unit(channel, {y, x}).of(layer)` gives by that rule.
  std::vector<Reconstruction> run(std::span<const UnitPlace> units, const Rule& rule);

  /// Multiply-accumulates of one unit's way back; and of one through the whole maps.
  int64_t macs() const;
  int64_t whole_macs() const;

 private:
  struct Stage;
  struct Geometry;
  class Descent;
  std::shared_ptr<const Plan> plan(Stage& stage, int64_t batch, const Rule& rule);
  /// Of each stage.
  std::vector<int64_t> batches(int64_t units, const Rule& rule);

  Network& network_;
  NodeId layer_;
  std::unique_ptr<Geometry> geometry_;
  std::vector<Stage> stages_;
};

}  // namespace loupe
