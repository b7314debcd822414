// Options that several commands share. Each function adds them to a command; the struct holds what was given.
#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "models/models.h"
#include "tools/loupe/arguments.h"

namespace loupe {

/// --model M and --classes N: which architecture.
struct ModelChoice {
  std::string model = "zoo", classes = {}, channels = {}, transform_input = {}, head = {};
  void add_to(CLI::App& app, const std::string& group = "Options");
  /// Throws UsageError, with near names.
  void check_name() const;
  /// 0: as many as the architecture was made for. Throws UsageError.
  int64_t class_count() const;
  /// What models::build() is told, for inputs of that size (0: the architecture's own) and weights from there ("formula",
  /// a file, or "" for those built in). Throws UsageError.
  /// `classes`: how many where --classes does not say it.
  ModelOptions options(int64_t height = 0, int64_t width = 0, const std::string& weights = "formula",
                       int64_t classes = 0) const;
  /// The architecture, with the head that --head asks for. Throws UsageError.
  Model build(int64_t height = 0, int64_t width = 0, const std::string& weights = "formula",
              int64_t classes = 0) const;
};

/// --device D, the GPU's --conv C, and the simulator's --sim.seed N and --sim.memory BYTES: where to compute.
struct DeviceChoice {
  std::string device, conv, seed, memory;
  void add_to(CLI::App& app, const std::string& group = "Options");
  /// --device alone, for a command that computes nothing.
  void add_name_to(CLI::App& app, const std::string& group = "Options");
  /// The device of that name. Loads nothing. Throws UsageError.
  Device named() const;
  /// The same, ready. Throws UsageError, and Error where this build or this machine lacks the device.
  Device open() const;
  /// What --conv says of kernels. Throws UsageError.
  KernelOptions kernels() const;
};

/// --weights FILE and --weights.extra: where a network's weights come from. Empty: built in.
struct WeightsChoice {
  std::string file = {}, extra = {};
  void add_to(CLI::App& app, const std::string& help, const std::string& group = "Options");
  /// Throws UsageError where there is no file, and the network has none built in.
  void check(const std::string& model) const;
  /// What --weights.extra says. Throws UsageError.
  ExtraTensors extra_tensors() const;
};

/// models::load(), with what is to be known of it said on standard error.
ImageModel load_and_say(const std::string& name, Model model, const WeightsChoice& weights, Device on,
                        const DeviceChoice& device);
/// A network with the zoo's classes, made for the zoo's pictures. Throws UsageError where they are too small
/// for it.
ImageModel load_for_zoo(const ModelChoice& model, const WeightsChoice& weights, const DeviceChoice& device);

/// Throws UsageError, naming model, size and layer, where a layer does not fit an input.
void expect_fits(const std::string& model, const Graph& graph, const Shape& input);

/// --size HxW: of the input, where no picture says it.
struct SizeChoice {
  std::string size;
  void add_to(CLI::App& app);
  /// The chosen architecture's graph, and the shape of one input. Throws UsageError where the layers do not
  /// fit it.
  std::pair<Graph, Shape> graph(const ModelChoice& choice) const;
};

}  // namespace loupe
