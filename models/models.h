// The architectures by name, and networks ready to run.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/run/image_model.h"
#include "models/catalog/family.h"
#include "models/io/safetensors.h"

namespace loupe::models {

/// Names of all architectures, in the families' order.
std::vector<std::string> names();
/// Whether a name is a file's: of a network with its weights (.onnx).
bool is_file(const std::string& name);
/// The graph of an architecture, or of a file. Throws UsageError with near names, and Error, one line, for a
/// file that cannot be read.
Model build(const std::string& name, const ModelOptions& options = {});

/// The model with its fully connected layers as convolutions: dense_head() of engine/graph/heads.h. Files of weights
/// serve it as they are. Throws UsageError where it has none.
Model with_dense_head(Model model);
/// The model with global average pooling and a linear layer for so many classes behind its trunk: pooled_head(). With 0
/// classes without that layer: pooled_features(). Throws UsageError where it has no trunk of maps.
Model with_pooled_head(Model model, int64_t classes);

/// Architectures whose weights this program carries: the zoo's.
std::vector<std::string> with_built_in_weights();
/// Whether it needs no file of weights: the zoo's, and files that are a network.
bool has_built_in_weights(const std::string& name);
/// Their file. Throws UsageError where there is none.
SafetensorsFile built_in_file(const std::string& name);
/// How they were trained, as `loupe train` wrote it; empty where nothing is known.
struct TrainingRecord {
  std::string_view summary;    // JSON: settings, times, tests
  std::string_view telemetry;  // JSON lines, one a step
};
TrainingRecord built_in_record(const std::string& name);

/// The options, completed by what follows from where the weights come from: a file, "formula", or "" for those built in.
ModelOptions for_weights(const std::string& name, ModelOptions options, const std::filesystem::path& weights);

/// An architecture with weights from a file, safetensors or torch.save's (torchvision's parameter names, perhaps
/// all behind one prefix; f32, f16, bf16 or f64); with formula weights where `weights` is "formula"; with the
/// built-in ones where it is empty. Throws Error as read_weights() does.
ImageModel load(const std::string& name, const std::filesystem::path& weights = {},
                Device device = Device::best(), const ModelOptions& options = {},
                const KernelOptions& kernels = {});
/// The same for an architecture that was built already.
ImageModel load(const std::string& name, Model model, const std::filesystem::path& weights, Device device,
                const KernelOptions& kernels = {}, ExtraTensors extra = ExtraTensors::refuse);

}  // namespace loupe::models
