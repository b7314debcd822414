// Weights of a file for a graph: which tensor of the file is which parameter, and whether it is the right file
// at all.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "models/io/weights_file.h"

namespace loupe {

/// Tensors that the graph has no parameter for.
enum class ExtraTensors {
  refuse,  // they are another network's weights
  ignore,
};

/// What is known of an architecture's files besides its parameters.
struct WeightNames {
  /// Modules that only training uses, "aux1.": their tensors may be there.
  std::vector<std::string> training_only = {};
  /// Today's name for one of an older file; empty: there never were others.
  std::function<std::string(const std::string&)> current = {};
};

/// Every parameter of the graph by its name, of the type in the file (F32, F16, BF16, F64); float32 stays in the
/// mapped file. Names may all stand behind one prefix ("module."), which is left off and said in `notes`.
/// `num_batches_tracked` counts for nothing. Throws Error, one line that names the file (`path`), the network
/// and the tensor: one that is missing, and where its values might be; misshapen, and the --classes that would
/// do; of another type; or, unless they are to be ignored, one that the graph has no place for.
std::map<std::string, Tensor> read_weights(const std::string& network, const Graph& graph, WeightsFile file,
                                           const std::string& path, const WeightNames& names,
                                           ExtraTensors extra, std::vector<std::string>& notes);

}  // namespace loupe
