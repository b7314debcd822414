#include "engine/evaluation/untrained.h"

#include "engine/training/initial_weights.h"

namespace loupe {

Network untrained(const Network& network, uint64_t seed) {
  Network fresh(network.name(), network.graph(), initial_weights(network.graph(), seed), network.device());
  fresh.preprocessing = network.preprocessing;
  fresh.labels = network.labels;
  fresh.trunk = network.trunk;
  fresh.memory_limit = network.memory_limit;
  return fresh;
}

}  // namespace loupe
