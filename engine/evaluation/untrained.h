#pragma once
#include <cstdint>

#include "engine/run/network.h"

namespace loupe {

/// The same architecture as before any training, drawn from a seed: weights normal with mean 0 and variance
/// 2 / (inputs of one output) (He et al. 2015, "Delving deep into rectifiers"), biases 0, normalisations the
/// identity. Every learned number and every running statistic is drawn anew; values keep their magnitude from
/// layer to layer, so that maps stay finite and no layer dies.
Network untrained(const Network& network, uint64_t seed);

}  // namespace loupe
