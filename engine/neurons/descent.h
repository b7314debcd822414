// What WaysBack (ways_back.h) is made of: stages, and descents through them.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/neurons/cones.h"
#include "engine/neurons/ways_back.h"

namespace loupe {

/// The ops from one node that everything passes down to another, as a graph of their own on windows.
struct WaysBack::Stage {
  NodeId top = -1, bottom = -1;
  std::array<WindowAxis, 2> axis = {};  // rows, columns
  Graph graph = {};
  NodeId input = -1, result = -1;
  std::vector<std::pair<NodeId, NodeId>> nodes = {};  // of `graph`, and which of the network's it is
  std::map<std::string, std::shared_ptr<const Plan>> plans = {};

  Pair size(NodeId n) const { return {axis[0].sizes.at(n), axis[1].sizes.at(n)}; }
  Pair origin(NodeId n, const UnitPlace& u) const { return {axis[0].origin(u.y, n), axis[1].origin(u.x, n)}; }
};

struct WaysBack::Geometry {
  Cones cones;
  Pair first(NodeId n, const UnitPlace& u) const {
    return {cones.span(0, u.y, n).begin, cones.span(1, u.x, n).begin};
  }
  Pair size(NodeId n, const UnitPlace& u) const {
    const CellSpan h = cones.span(0, u.y, n), w = cones.span(1, u.x, n);
    return {h.end - h.begin, w.end - w.begin};
  }
};

/// One thread's way through all stages: a batch goes down a stage, and its parts, as small as caches want them further
/// down where windows are large, go on before the next batch is begun.
class WaysBack::Descent {
 public:
  struct Step {
    const Stage* stage;
    Execution* pass;
    int64_t batch;  // no larger than that of the step before
  };
  /// All of them are ready (Execution::open_tape()).
  Descent(const Network& network, const Geometry& geometry, std::vector<Step> steps)
      : network_(network), geometry_(geometry), steps_(std::move(steps)) {}

  /// Units, at most the first step's batch, and one reconstruction for each.
  void run(std::span<const UnitPlace> units, std::span<Reconstruction> made);

 private:
  void down(size_t step, std::span<const UnitPlace> units, std::vector<OwnArray> signals,
            std::span<Reconstruction> made);
  std::vector<OwnArray> through(const Step& step, std::span<const UnitPlace> units,
                                std::vector<OwnArray>& signals);
  void fill_tape(const Step& step, std::span<const UnitPlace> units) const;

  const Network& network_;
  const Geometry& geometry_;
  std::vector<Step> steps_;
};

}  // namespace loupe
