#include "engine/exam/untrained.h"

#include <algorithm>
#include <map>

#include "engine/training/initial_weights.h"

namespace loupe {

std::vector<NodeId> learned_layers(const Graph& graph) {
  const auto role = [&](NodeId p) { return graph.node(p).role; };
  std::vector<NodeId> layers;
  for (NodeId n = graph.size() - 1; n >= 0; --n)
    if (std::ranges::count(graph.parameters(n), ParameterSpec::Role::weight, role)) layers.push_back(n);
  return layers;
}

NodeId middle_layer(const Graph& graph) {
  const std::vector<NodeId> layers = learned_layers(graph);
  return layers.empty() ? 0 : layers[layers.size() / 2];
}

ImageModel untrained(const ImageModel& model, uint64_t seed, NodeId from) {
  const Network& network = model.network;
  const Graph& graph = network.graph();
  std::map<std::string, Tensor> parameters = initial_weights(graph, seed);
  for (NodeId n = 0; n < from; ++n)
    for (NodeId p : graph.parameters(n))
      parameters.insert_or_assign(graph.node(p).name, network.parameter(graph.node(p).name));
  ImageModel fresh{Network(network.name(), graph, std::move(parameters), network.device()),
                   model.preprocessing, model.labels, model.trunk};
  fresh.read_tensor = model.read_tensor;
  fresh.network.memory_limit = network.memory_limit;
  return fresh;
}

}  // namespace loupe
