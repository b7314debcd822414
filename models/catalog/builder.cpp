#include "models/catalog/builder.h"

#include <cmath>

namespace loupe {

Builder::Builder(const ModelOptions& options) : options_(options) {
  graph_.input("input", {1, 3, options.height, options.width});
}

NodeId Builder::add(const std::string& name, OpPtr op, NodeId x) {
  return graph_.add(name, std::move(op), {x});
}

NodeId Builder::add(const std::string& name, OpPtr op, std::vector<NodeId> inputs) {
  return graph_.add(name, std::move(op), std::move(inputs));
}

NodeId Builder::chain(const std::string& module, NodeId x,
                      const std::vector<std::pair<std::string, OpPtr>>& ops) {
  for (const auto& [name, op] : ops) x = add(module.empty() ? name : module + "." + name, op, x);
  return x;
}

NodeId Builder::sequential(const std::string& module, NodeId x, const std::vector<OpPtr>& ops) {
  for (size_t i = 0; i < ops.size(); ++i) x = add(module + "." + std::to_string(i), ops[i], x);
  return x;
}

Model Builder::model(const std::string& trunk) && {
  graph_.find(trunk);  // throws if there is no such layer
  Preprocessing preprocessing;
  if (options_.height == options_.width && options_.height != preprocessing.crop) {
    // Another square size: the same share of the photograph.
    preprocessing.resize = std::llround(static_cast<double>(preprocessing.resize * options_.height) /
                                        static_cast<double>(preprocessing.crop));
    preprocessing.crop = options_.height;
  }
  return {std::move(graph_), trunk, preprocessing};
}

}  // namespace loupe
