#include "tools/loupe/options.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

#include "kernels/common/suggest.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/text.h"

namespace loupe {

void ModelChoice::add_to(CLI::App& app, const std::string& group) {
  value_option(app, "--model", model, "M", "Architecture, which `loupe models` lists, or an .onnx file (zoo)",
               group);
  value_option(app, "--classes", classes, "N",
               "Classes that the network tells apart (14 of the zoo, 1000 of others)", group);
  value_option(app, "--channels", channels, "C", "Of the input: 1 for a network that sees grey pictures (3)",
               group);
  value_option(
      app, "--transform-input", transform_input, "yes|no",
      "Whether GoogLeNet and Inception take their input to mean and deviation 0.5, as torchvision's trained "
      "ones do (yes with a file of weights for 1000 classes)",
      group);
  value_option(
      app, "--head", head, "dense|pooled",
      "dense: fully connected layers as convolutions, which larger pictures pass place by place; pooled: "
      "global average pooling and a linear layer, as `loupe train --head pooled` teaches it (its own)",
      group);
}

void ModelChoice::check_name() const {
  if (models::is_file(model)) return;
  const std::vector<std::string> known = models::names();
  if (std::ranges::count(known, model)) return;
  const std::string near = did_you_mean(model, known);
  throw UsageError("there is no model '" + model + "'" +
                   (near.empty() ? "; `loupe models` lists those there are" : near));
}

int64_t ModelChoice::class_count() const {
  return classes.empty() ? 0 : parse_whole("--classes", classes, 1, 1'000'000);
}

ModelOptions ModelChoice::options(int64_t height, int64_t width, const std::string& weights,
                                  int64_t labels) const {
  ModelOptions all{.classes = classes.empty() ? labels : class_count(), .height = height, .width = width};
  if (!channels.empty()) all.channels = parse_whole("--channels", channels, 1, 3);
  if (all.channels == 2) throw UsageError("--channels takes 1, for grey pictures, or 3");
  if (!transform_input.empty() && transform_input != "yes" && transform_input != "no")
    throw UsageError("--transform-input takes yes or no, not '" + transform_input + "'");
  if (!transform_input.empty()) all.transform_input = transform_input == "yes";
  return models::for_weights(model, all, weights);
}

Model ModelChoice::build(int64_t height, int64_t width, const std::string& weights, int64_t labels) const {
  if (!head.empty() && head != "dense" && head != "pooled")
    throw UsageError("--head takes dense or pooled, not '" + head + "'");
  // A dense head is made for the network's own size, whatever that of the pictures.
  if (head == "dense") return models::with_dense_head(models::build(model, options(0, 0, weights, labels)));
  ModelOptions all = options(height, width, weights, labels);
  if (head.empty()) return models::build(model, all);
  if (models::is_file(model))
    throw UsageError("--head pooled is for the architectures that `loupe models` lists, not for files");
  const int64_t classes_wanted = std::exchange(all.classes, 0);
  Model built = models::build(model, all);
  const int64_t own = built.graph.node(built.graph.output()).shape().back();
  return models::with_pooled_head(std::move(built), classes_wanted ? classes_wanted : own);
}

void SizeChoice::add_to(CLI::App& app) {
  value_option(app, "--size", size, "HxW",
               "Height and width of the input in pixels (64 of the zoo, 224 of others)");
}

std::pair<Graph, Shape> SizeChoice::graph(const ModelChoice& choice) const {
  choice.check_name();
  Graph graph = choice.build().graph;
  Shape input = graph.input_shapes().at(0);
  if (!size.empty()) {
    const auto [height, width] = parse_size("--size", size);
    input = input.with(2, height).with(3, width);
    expect_fits(choice.model, graph, input);
  }
  return {std::move(graph), input};
}

void expect_fits(const std::string& model, const Graph& graph, const Shape& input) {
  try {
    graph.shapes(input);
  } catch (const UsageError& e) {
    throw UsageError(model + " does not take inputs of " + Pair(input[2], input[3]).str() +
                     " pixels: " + e.what());
  }
}

void DeviceChoice::add_name_to(CLI::App& app, const std::string& group) {
  value_option(app, "--device", device, "D",
               "cpu; cuda: an NVIDIA GPU, cuda:1 the second; sim: the GPU's kernels in a simulator, slow; "
               "ref: textbook loops in "
               "double, slow (cuda where there is one, else cpu)",
               group);
}

void DeviceChoice::add_to(CLI::App& app, const std::string& group) {
  add_name_to(app, group);
  value_option(app, "--conv", conv, "C",
               "Who convolves on cuda: own kernels, or cudnn to compare them with (own)", group);
  const std::string sim = "Options of the simulator";
  value_option(app, "--sim.seed", seed, "N", "Shuffles the order in which a kernel's threads run (1)", sim);
  value_option(app, "--sim.memory", memory, "BYTES", "Memory of the simulated GPU (8G)", sim);
}

Device DeviceChoice::named() const { return device.empty() ? Device::best() : Device::parse(device); }

Device DeviceChoice::open() const {
  const Device chosen = named();
  if (!conv.empty()) {
    if (conv != "own" && conv != "cudnn") throw UsageError("--conv takes own or cudnn, not '" + conv + "'");
    if (chosen.backend != Backend::cuda)
      throw UsageError("--conv has no effect, because the device is " + chosen.str());
    if (conv == "cudnn") chosen.module()->query("cudnn");  // says why it cannot be used, if so
  }
  const auto set = [&](const std::string& option, const std::string& value) {
    if (chosen != Device::sim())
      throw UsageError("--sim." + option + " has no effect, because the device is " + chosen.str());
    chosen.module()->configure(option, value);
  };
  if (!seed.empty()) set("seed", std::to_string(parse_whole("--sim.seed", seed, 0, INT64_MAX)));
  if (!memory.empty()) set("memory", std::to_string(parse_bytes("--sim.memory", memory)));
  chosen.module();
  return chosen;
}

KernelOptions DeviceChoice::kernels() const { return {.library_convolution = conv == "cudnn"}; }

void WeightsChoice::add_to(CLI::App& app, const std::string& help, const std::string& group) {
  value_option(app, "--weights", file, "FILE", help, group);
  value_option(app, "--weights.extra", extra, "WORD",
               "Tensors of the file that the network has no place for: `refuse`, or `ignore` (refuse)",
               group);
}

void WeightsChoice::check(const std::string& model) const {
  if (file.empty() && !models::has_built_in_weights(model))
    throw UsageError("--weights is missing: " + model + " has none built in");
  extra_tensors();
}

ExtraTensors WeightsChoice::extra_tensors() const {
  if (extra.empty() || extra == "refuse") return ExtraTensors::refuse;
  if (extra == "ignore") return ExtraTensors::ignore;
  throw UsageError("--weights.extra takes refuse or ignore, not '" + extra + "'");
}

ImageModel load_and_say(const std::string& name, Model model, const WeightsChoice& weights, Device on,
                        const DeviceChoice& device) {
  ImageModel network =
      models::load(name, std::move(model), weights.file, on, device.kernels(), weights.extra_tensors());
  for (const std::string& note : network.notes) std::fprintf(stderr, "loupe: %s\n", valid_utf8(note).c_str());
  return network;
}

ImageModel load_for_zoo(const ModelChoice& choice, const WeightsChoice& weights, const DeviceChoice& device) {
  Model built = choice.build(zoo::kSize, zoo::kSize, weights.file, std::ssize(zoo::labels()));
  expect_fits(choice.model, built.graph, {1, 3, zoo::kSize, zoo::kSize});
  return load_and_say(choice.model, std::move(built), weights, device.open(), device);
}

}  // namespace loupe
