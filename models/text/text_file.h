// Text models in safetensors files of our own: parameters under their names in the graph (nodes.h), the TextConfig as
// metadata under "loupe.text.<setting>".
#pragma once
#include <map>
#include <string>

#include "engine/tensor/tensor.h"
#include "models/text/config.h"
#include "models/text/flat_json.h"

namespace loupe {

/// The file appears whole or not at all. `half`: weights as F16. `more`: other metadata. Throws Error as
/// write_safetensors() does.
void write_text_model(const std::string& path, const TextConfig& config,
                      const std::map<std::string, Tensor>& parameters, bool half = false,
                      const std::map<std::string, std::string>& more = {});

/// What such a file's metadata says; empty where it is of none.
std::map<std::string, JsonScalar, std::less<>> text_settings(
    const std::map<std::string, std::string>& metadata);
/// And back. Throws Error, which starts with `file`, for settings that are missing, unknown or make no model.
TextConfig text_config(const std::map<std::string, JsonScalar, std::less<>>& settings,
                       const std::string& file);

}  // namespace loupe
