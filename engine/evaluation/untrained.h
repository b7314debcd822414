#pragma once
#include <cstdint>

#include "engine/run/network.h"

namespace loupe {

/// The same architecture as before any training, drawn from a seed (initial_weights()): every learned number
/// and every running statistic is another. Values keep their magnitude from layer to layer, so that maps stay
/// finite and no layer dies.
Network untrained(const Network& network, uint64_t seed);

}  // namespace loupe
