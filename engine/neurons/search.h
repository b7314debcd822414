// Search: for every channel of some layers, the pictures of a stream that excite it most.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/neurons/index.h"
#include "engine/run/network.h"

namespace loupe {

/// A network's filters: every convolution, seen behind the batch norm and the function that alone read it; the node
/// whose channels they are.
std::vector<NodeId> filter_layers(const Graph& graph);

/// The layers of those names. Throws UsageError, with near names, for one that is not there, and for one whose value
/// for such an input has no places: it must be maps (N, C, H, W).
std::vector<NodeId> layers_with_places(const Graph& graph, const std::vector<std::string>& names,
                                       const Shape& input);

/// What cell (y, x) of a node sees of an input of height × width pixels, clipped to it: rows [0], [2), columns [1], [3).
std::array<int32_t, 4> seen_by_cell(const ReceptiveField& field, int64_t y, int64_t x, int64_t height,
                                    int64_t width);

/// One pass over a stream of pictures. It keeps the lists, and of a picture nothing: memory does not depend on how many
/// there are. The lists are those of a full sort by ranks_before(), whatever the batches, their order and the threads.
/// NaN ranks nowhere.
class UnitSearch {
 public:
  /// layers: nodes whose values are maps. `found`: lists to go on with, or one empty entry a layer is made.
  UnitSearch(Network& network, std::vector<NodeId> layers, int64_t top, std::vector<LayerHits> found = {});

  /// Pictures (N, C, H, W), preprocessed, and their N names. Throws UsageError for what the network does not take.
  void add(const Tensor& pictures, std::span<const std::string> names);

  const std::vector<LayerHits>& found() const { return found_; }

 private:
  void look_at(size_t layer, const Array& maps, std::span<const std::string> names, Pair input);

  Network& network_;
  std::vector<NodeId> layers_;
  int64_t top_;
  std::vector<ReceptiveField> fields_;
  std::vector<LayerHits> found_;
};

}  // namespace loupe
