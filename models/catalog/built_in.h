// Weights that the program carries: every file models/zoo/weights/<model>.safetensors, put into the library
// as it is by the build, with the record of its training, <model>.json, where that lies beside it.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

namespace loupe {

struct BuiltIn {
  std::string_view model;
  std::span<const std::byte> bytes;  // a safetensors file, aligned to 64 bytes
  std::string_view record = {};      // JSON, as `loupe train` writes it; empty where there is none
};

/// In alphabetical order.
std::span<const BuiltIn> all_built_in_weights();

}  // namespace loupe
