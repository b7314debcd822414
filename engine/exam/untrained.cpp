#include "engine/exam/untrained.h"

#include <algorithm>
#include <map>

#include "engine/training/initial_weights.h"

namespace loupe {

std::vector<NodeId> learned_layers(const Graph& graph) {
  std::vector<NodeId> layers;
  for (NodeId n = graph.size() - 1; n >= 0; --n)
    if (std::ranges::count(graph.node(n).parameters, ParameterSpec::Role::weight, &ParameterSpec::role))
      layers.push_back(n);
  return layers;
}

NodeId middle_layer(const Graph& graph) {
  const std::vector<NodeId> layers = learned_layers(graph);
  return layers.empty() ? 0 : layers[layers.size() / 2];
}

Network untrained(const Network& network, uint64_t seed, NodeId from) {
  const Graph& graph = network.graph();
  std::map<std::string, Tensor> parameters = initial_weights(graph, seed);
  for (NodeId n = 0; n < from; ++n)
    for (const ParameterSpec& p : graph.node(n).parameters)
      parameters.insert_or_assign(p.name, network.parameter(p.name));
  Network fresh(network.name(), graph, std::move(parameters), network.device());
  fresh.preprocessing = network.preprocessing;
  fresh.labels = network.labels;
  fresh.trunk = network.trunk;
  fresh.memory_limit = network.memory_limit;
  return fresh;
}

}  // namespace loupe
