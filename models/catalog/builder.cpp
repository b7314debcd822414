#include "models/catalog/builder.h"

#include <cmath>

namespace loupe {

Builder::Builder(const ModelOptions& options) : options_(options) {
  graph_.input("input", {1, options.channels ? options.channels : 3, options.height, options.width});
}

NodeId Builder::transformed_input() {
  if (!options_.transform_input.value_or(false)) return input();
  constexpr double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
  std::vector<float> scale, shift;
  for (int c = 0; c < 3; ++c) {
    scale.push_back(static_cast<float>(std[c] / 0.5));
    shift.push_back(static_cast<float>((mean[c] - 0.5) / 0.5));
  }
  const NodeId scales = graph_.constant("transform_input.scales", Tensor::from(scale, {1, 3, 1, 1}));
  const NodeId shifts = graph_.constant("transform_input.shifts", Tensor::from(shift, {1, 3, 1, 1}));
  const NodeId x = add("transform_input.mul", mul(), {input(), scales});
  return add("transform_input.add", loupe::add(), {x, shifts});
}

NodeId Builder::add(const std::string& name, OpPtr op, NodeId x) {
  return graph_.add(name, std::move(op), {x});
}

NodeId Builder::add(const std::string& name, OpPtr op, std::vector<Port> inputs) {
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

NodeId Builder::parameter(const std::string& name, Shape shape, ParameterSpec::Role role) {
  return graph_.parameter(name, shape, role);
}

Model Builder::model(const std::string& trunk, const Preprocessing& standard) && {
  graph_.find(trunk);  // throws if there is no such layer
  Preprocessing preprocessing = standard;
  if (options_.height == options_.width && options_.height != standard.crop) {
    preprocessing.resize = std::llround(static_cast<double>(standard.resize * options_.height) /
                                        static_cast<double>(standard.crop));
    preprocessing.crop = options_.height;
  }
  return {std::move(graph_), trunk, preprocessing};
}

}  // namespace loupe
