// A network of an ONNX file, as an architecture's name gives one.
#pragma once
#include <string>

#include "models/catalog/family.h"

namespace loupe {

/// The file's graph with its weights. Its result is its first output, before a softmax (or, of one class, a
/// sigmoid) at the end, since scores are explained; a note says so. Photographs are prepared as ImageNet's are,
/// at the size of the graph's input. `options`: sizes that the file leaves open. Throws Error, one line, for a
/// file that is no ONNX model or cannot be run, and UsageError where it contradicts the options.
Model onnx_model(const std::string& path, const ModelOptions& options = {});

/// Where Grad-CAM looks by default: the last maps before they are averaged or put into a row, or of a network
/// of tokens the norm before its last attention. Empty where there is neither.
std::string find_trunk(const Graph& graph);

}  // namespace loupe
