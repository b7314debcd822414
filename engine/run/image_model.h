// ImageModel: a network together with what turns pictures into its input and its results into words.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/image/preprocess.h"
#include "engine/run/network.h"
#include "engine/tensor/npy.h"

namespace loupe {

struct ImageModel {
  Network network;
  Preprocessing preprocessing = {};
  std::vector<std::string> labels = {};  // one a class, or empty
  std::string trunk = {};                // the layer at the end of the convolutional trunk, for Grad-CAM
  std::vector<std::string> notes = {};   // what its user should know of how it was loaded, a line each
  /// Reads the tensor of a file that a method's option names; models/ reads more kinds of files.
  std::function<Tensor(const std::string& path)> read_tensor = read_npy;

  Tensor preprocess(const Image& image) const { return loupe::preprocess(image, preprocessing); }
  /// "jaguar", or "class 290" without labels.
  std::string label(int64_t cls) const {
    const auto i = static_cast<size_t>(cls);
    return i < labels.size() ? labels[i] : "class " + std::to_string(cls);
  }

  // Whoever explains a network can be handed the model.
  operator Network&() { return network; }              // NOLINT: implicit on purpose
  operator const Network&() const { return network; }  // NOLINT
  const std::string& name() const { return network.name(); }
  const Graph& graph() const { return network.graph(); }
  Device device() const { return network.device(); }
  int64_t classes() const { return network.classes(); }
  Tensor logits(const Tensor& x) { return network.logits(x); }
};

}  // namespace loupe
