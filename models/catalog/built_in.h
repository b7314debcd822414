// Weights that the program carries: every file models/zoo/weights/<model>.safetensors, and of models of tokens
// models/text/weights/<model>.safetensors, put into the library as it is by the build, with what `loupe train` wrote
// beside it: the record <model>.json and the telemetry <model>.jsonl. Both are empty where they are not there.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

namespace loupe {

struct BuiltIn {
  std::string_view model;
  std::span<const std::byte> bytes;  // a safetensors file, aligned to 64 bytes
  std::string_view record = {}, telemetry = {};
};

/// In alphabetical order.
std::span<const BuiltIn> all_built_in_weights();
std::span<const BuiltIn> all_built_in_texts();

}  // namespace loupe
