#pragma once
#include <cstdint>
#include <vector>

#include "engine/run/image_model.h"

namespace loupe {

/// The layers that learn weights, from the output down.
std::vector<NodeId> learned_layers(const Graph& graph);

/// The one in the middle of them, of an even number the lower; 0 where nothing learns.
NodeId middle_layer(const Graph& graph);

/// The same architecture as before any training, drawn from a seed (initial_weights()): every learned number
/// and every running statistic from node `from` to the output is another, those before it stay. Values keep
/// their magnitude from layer to layer, so that maps stay finite and no layer dies.
ImageModel untrained(const ImageModel& model, uint64_t seed, NodeId from = 0);

}  // namespace loupe
