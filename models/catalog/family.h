// Family: the architectures that one file models/<family>.family.cpp builds. The build lists every
// `<family>_family`.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/image/preprocess.h"
#include "models/io/read_weights.h"

namespace loupe {

/// An architecture before it has weights.
struct Model {
  Graph graph;
  std::string trunk;  // the layer at the end of the convolutional trunk: where Grad-CAM looks
  Preprocessing preprocessing = {};
  WeightNames weight_names = {};
  std::vector<std::string> labels = {};  // of the classes that it was made for; empty: whoever trains it says
  // Of a file that holds a network with its weights:
  bool has_weights = false;
  std::map<std::string, Tensor> parameters = {};
  bool any_batch = true;  // false: it was written down for a batch of one alone
  std::vector<std::string> notes = {};
  /// Where the head was changed: the graph whose parameters files of weights hold. Those of `graph` are the same numbers
  /// in other shapes.
  std::optional<Graph> stored = {};
};

/// 0: what the architecture was made for. Height and width are nominal: a network runs on every size that its
/// layers fit.
struct ModelOptions {
  int64_t classes = 0;
  int64_t height = 0, width = 0;
  int64_t channels = 0;  // of the input: 1 for grey pictures
  /// Whether the network itself takes its input from ImageNet's mean and deviation to 0.5, as torchvision's trained
  /// GoogLeNet and Inception do (transform_input). Not said: with a file of weights for the classes that it was made
  /// for, and not with others. No other architecture does.
  std::optional<bool> transform_input = std::nullopt;
};

struct Architecture {
  std::string name;                                 // torchvision's, where it has it: "resnet18"
  std::function<Model(const ModelOptions&)> build;  // gets options without zeros
  ModelOptions standard = {.classes = 1000, .height = 224, .width = 224, .channels = 3};
  bool transforms_input = false;  // ModelOptions::transform_input means something
};

/// One architecture for each row of a family's table, called row.name: build(row, options).
template <typename Row>
std::vector<Architecture> architectures(const std::vector<Row>& table,
                                        Model (*build)(const Row&, const ModelOptions&)) {
  std::vector<Architecture> all;
  for (const Row& row : table)
    all.push_back({row.name, [=](const ModelOptions& options) { return build(row, options); }});
  return all;
}

struct Family {
  std::string title;   // "SqueezeNet"
  std::string source;  // the paper
  std::vector<Architecture> architectures;
};

/// Every family, in alphabetical order of its file. (Generated from the names of the files *.family.cpp.)
std::span<const Family* const> all_families();

}  // namespace loupe
