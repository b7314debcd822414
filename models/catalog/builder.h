// Builder: what the families are written with. A network reads as its module list does in torch: sequences of
// ops under a module's name, and functional operations under the name that torch.fx gives them
// ("layer1.0.add", "flatten").
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/avg_pool2d/avg_pool2d.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/concat/concat.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "kernels/lrn/lrn.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "models/catalog/family.h"

namespace loupe {

/// Nodes of one module are added one after the other, its output last, so that Graph::find(module) is that
/// output.
class Builder {
 public:
  /// Starts with the node "input", nominally (1, channels, height, width).
  explicit Builder(const ModelOptions& options);

  NodeId input() const { return 0; }
  /// The input, or where the options ask for it what torchvision's transform_input makes of it.
  NodeId transformed_input();
  NodeId add(const std::string& name, OpPtr op, NodeId x);
  NodeId add(const std::string& name, OpPtr op, std::vector<Port> inputs);
  /// A chain of named ops; the names follow `module` and a dot, or stand alone where `module` is "".
  NodeId chain(const std::string& module, NodeId x, const std::vector<std::pair<std::string, OpPtr>>& ops);
  /// torch.nn.Sequential: the ops are named module.0, module.1 …
  NodeId sequential(const std::string& module, NodeId x, const std::vector<OpPtr>& ops);

  /// A parameter that is given to nodes as an operand, under its full name.
  NodeId parameter(const std::string& name, Shape shape, ParameterSpec::Role role);

  Shape shape(NodeId id) const { return graph_.node(id).shape(); }
  int64_t channels(NodeId id) const { return shape(id)[1]; }
  /// The finished model, whose trunk ends with the node `trunk`, or with the module of that name.
  /// `standard` says how photographs are prepared for the size that it was made for; another square size
  /// shows the same share of them.
  Model model(const std::string& trunk, const Preprocessing& standard = {}) &&;

 private:
  ModelOptions options_;
  Graph graph_;
};

}  // namespace loupe
