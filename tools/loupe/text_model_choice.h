// --model or --weights, --device and --threads of a command that reads a text model.
#pragma once
#include <string>

#include "models/text/text_model.h"
#include "tools/loupe/options.h"

namespace loupe {

struct TextModelChoice {
  std::string model, weights, threads;
  DeviceChoice device;
  void add_to(CLI::App& app, const std::string& group = "Model");
  /// Reads it; what was assumed of the file is said on standard error. Throws UsageError and Error, one line.
  TextModel load() const;
};

}  // namespace loupe
