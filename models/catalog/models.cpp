#include "models/models.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/graph/heads.h"
#include "kernels/common/suggest.h"
#include "models/catalog/built_in.h"
#include "models/io/formula.h"
#include "models/io/onnx/onnx_model.h"
#include "models/io/onnx/proto.h"
#include "models/io/tensor_file.h"

namespace loupe::models {

namespace {

using Weights = std::map<std::string, Tensor>;

Weights formula_weights(const Graph& graph) {
  Weights weights;
  for (NodeId id : graph.parameters()) {
    const Node& p = graph.node(id);
    weights.emplace(p.name, formula_weight(p.name, p.shape(), p.role));
  }
  return weights;
}

// Any network can be read and looked at; what is explained is a score a class of one picture.
void expect_explainable(const std::string& name, const Graph& graph) {
  const std::vector<NodeId> inputs = graph.inputs();
  if (inputs.size() != 1)
    throw Error("'" + name + "' has " + std::to_string(inputs.size()) +
                " inputs; Loupe explains networks with one");
  const Shape &x = graph.node(inputs[0]).shape(), &y = graph.node(graph.output()).shape();
  if (y.rank() != 2)
    throw Error("the result of '" + name + "' is " + y.str() +
                "; Loupe explains networks that end with one score a class");
  if (x.rank() == 4 && (x[1] == 3 || x[1] == 1)) return;
  throw Error("'" + name + "' takes no pictures: its input is " + x.str());
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Family* family : all_families())
    for (const Architecture& a : family->architectures) all.push_back(a.name);
  return all;
}

Model build(const std::string& name, const ModelOptions& options) {
  if (is_file(name)) {
    Model model = onnx_model(name, options);
    const std::vector<Shape> inputs = model.graph.input_shapes();
    if (!inputs.empty() && inputs[0].rank() == 4)
      model.preprocessing = for_channels(model.preprocessing, inputs[0][1]);
    return model;
  }
  for (const Family* family : all_families())
    for (const Architecture& a : family->architectures) {
      if (a.name != name) continue;
      const auto or_standard = [](int64_t wanted, int64_t standard) { return wanted ? wanted : standard; };
      if (options.transform_input.value_or(false) && !a.transforms_input)
        throw UsageError(name + " has no transform_input: only torchvision's GoogLeNet and Inception have");
      Model model = a.build({.classes = or_standard(options.classes, a.standard.classes),
                             .height = or_standard(options.height, a.standard.height),
                             .width = or_standard(options.width, a.standard.width),
                             .channels = or_standard(options.channels, 3),
                             .transform_input = options.transform_input.value_or(false)});
      model.preprocessing = for_channels(model.preprocessing, model.graph.input_shapes().at(0)[1]);
      const int64_t classes = model.graph.node(model.graph.output()).shape().back();
      if (std::ssize(model.labels) != classes) model.labels.clear();
      return model;
    }
  throw UsageError("there is no model '" + name + "'" + did_you_mean(name, names()) +
                   " (`loupe models` lists them)");
}

Model with_dense_head(Model model) {
  Graph dense = dense_head(model.graph);
  model.stored = std::exchange(model.graph, std::move(dense));
  return model;
}

Model with_pooled_head(Model model, int64_t classes) {
  if (model.trunk.empty())
    throw UsageError(
        "a network that names no trunk cannot have a pooled head: nothing says where its maps end");
  const NodeId trunk = model.graph.find(model.trunk);
  model.graph = classes ? pooled_head(model.graph, trunk, classes) : pooled_features(model.graph, trunk);
  if (std::ssize(model.labels) != classes) model.labels.clear();
  return model;
}

std::vector<std::string> with_built_in_weights() {
  std::vector<std::string> all;
  for (const BuiltIn& b : all_built_in_weights()) all.emplace_back(b.model);
  return all;
}

bool is_file(const std::string& name) { return onnx::is_onnx_path(name); }

bool has_built_in_weights(const std::string& name) {
  if (is_file(name)) return true;
  return std::ranges::count(all_built_in_weights(), name, &BuiltIn::model) > 0;
}

SafetensorsFile built_in_file(const std::string& name) {
  const auto all = all_built_in_weights();
  const auto found = std::ranges::find(all, name, &BuiltIn::model);
  if (found == all.end()) throw UsageError(name + " has no weights built in: name a file of weights");
  static const auto program = std::make_shared<int>();  // its bytes outlive what is made of them
  return SafetensorsFile::parse(found->bytes, "the built-in weights of " + name, program);
}

TrainingRecord built_in_record(const std::string& name) {
  const auto all = all_built_in_weights();
  const auto found = std::ranges::find(all, name, &BuiltIn::model);
  if (found == all.end()) return {};
  return {found->record, found->telemetry};
}

ImageModel load(const std::string& name, Model model, const std::filesystem::path& weights, Device device,
                const KernelOptions& kernels, ExtraTensors extra) {
  if (model.has_weights && !weights.empty() && weights != "formula")
    throw UsageError("'" + name + "' has its own weights: leave --weights out");
  if (model.has_weights) expect_explainable(name, model.graph);
  std::vector<std::string> notes = std::move(model.notes);
  const Graph& stored = model.stored ? *model.stored : model.graph;
  const auto from = [&](WeightsFile file, const std::string& path) {
    return read_weights(name, stored, std::move(file), path, model.weight_names, extra, notes);
  };
  Weights parameters = weights == "formula" ? formula_weights(stored)
                       : model.has_weights  ? std::move(model.parameters)
                       : weights.empty()    ? from(built_in_file(name), "the built-in weights")
                                            : from(WeightsFile::open(weights.string()), weights.string());
  if (model.stored) parameters = reshaped(parameters, model.graph);
  ImageModel loaded{Network(name, std::move(model.graph), std::move(parameters), device, kernels),
                    model.preprocessing, std::move(model.labels), std::move(model.trunk), std::move(notes)};
  loaded.read_tensor = read_tensor_file;
  if (!model.any_batch) loaded.network.batch_limit = 1;
  return loaded;
}

ModelOptions for_weights(const std::string& name, ModelOptions options,
                         const std::filesystem::path& weights) {
  if (options.transform_input || weights == "formula" || weights.empty()) return options;
  for (const Family* family : all_families())
    for (const Architecture& a : family->architectures)
      if (a.name == name && a.transforms_input)
        options.transform_input = (options.classes == 0 || options.classes == a.standard.classes) &&
                                  (options.channels == 0 || options.channels == 3);
  return options;
}

ImageModel load(const std::string& name, const std::filesystem::path& weights, Device device,
                const ModelOptions& options, const KernelOptions& kernels) {
  return load(name, build(name, for_weights(name, options, weights)), weights, device, kernels);
}

}  // namespace loupe::models
