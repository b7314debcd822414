#include "models/models.h"

#include <algorithm>
#include <map>

#include "kernels/common/suggest.h"
#include "models/catalog/built_in.h"
#include "models/io/formula.h"
#include "models/io/weights_file.h"

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

// Only what the graph needs is read; float32 stays in the mapped file.
Weights read_weights(const std::string& name, const Graph& graph, WeightsFile file, const std::string& path,
                     std::vector<std::string>& notes) {
  std::vector<std::string> wanted;
  for (NodeId id : graph.parameters()) wanted.push_back(graph.node(id).name);
  if (const std::string prefix = file.strip_prefix(wanted); !prefix.empty())
    notes.push_back("'" + path + "': every name starts with '" + prefix + "', which was left off");
  Weights weights;
  for (NodeId id : graph.parameters()) {
    const Node& p = graph.node(id);
    if (!file.contains(p.name))
      throw Error("'" + path + "' lacks the tensor '" + p.name + "' " + p.shape().str() + ", which " + name +
                  " needs: are these the weights of another model?");
    const Shape& found = file.info(p.name).shape;
    if (found != p.shape())
      throw Error("'" + path + "' holds the tensor '" + p.name + "' with shape " + found.str() + ", but " +
                  name + " needs " + p.shape().str());
    const std::string& dtype = file.info(p.name).dtype;
    if (!dtype.starts_with("F") && dtype != "BF16")
      throw Error("'" + path + "' holds the tensor '" + p.name + "' as " + dtype +
                  "; weights are F32, F16, BF16 or F64");
    weights.emplace(p.name, file.tensor(p.name));
  }
  return weights;
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Family* family : all_families())
    for (const Architecture& a : family->architectures) all.push_back(a.name);
  return all;
}

Model build(const std::string& name, const ModelOptions& options) {
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

std::vector<std::string> with_built_in_weights() {
  std::vector<std::string> all;
  for (const BuiltIn& b : all_built_in_weights()) all.emplace_back(b.model);
  return all;
}

bool has_built_in_weights(const std::string& name) {
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
                const KernelOptions& kernels) {
  std::vector<std::string> notes;
  const auto from = [&](WeightsFile file, const std::string& path) {
    return read_weights(name, model.graph, std::move(file), path, notes);
  };
  Weights parameters = weights == "formula" ? formula_weights(model.graph)
                       : weights.empty()    ? from(built_in_file(name), "the built-in weights")
                                            : from(WeightsFile::open(weights.string()), weights.string());
  return {Network(name, std::move(model.graph), std::move(parameters), device, kernels), model.preprocessing,
          std::move(model.labels), std::move(model.trunk), std::move(notes)};
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
