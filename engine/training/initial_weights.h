// Weights before training.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "engine/graph/graph.h"
#include "engine/tensor/tensor.h"

namespace loupe {

/// Every parameter of the graph, f32, a function of its name and the seed. Weights are uniform in
/// ±√(6/fan_in) (He et al. 2015, "Delving deep into rectifiers", eq. 10, as a uniform law of the same
/// variance); biases, and a batch norm's bias and mean, are 0, its weight and variance 1.
std::map<std::string, Tensor> initial_weights(const Graph& graph, uint64_t seed);

}  // namespace loupe
