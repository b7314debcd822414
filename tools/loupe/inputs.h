// What `loupe explain` looks at: photographs, and files that hold a preprocessed tensor.
#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/image/preprocess.h"

namespace loupe {

struct Input {
  std::string path;
  std::string name;  // the file's stem, made unique: the folder of its results
  Tensor tensor;     // (1, 3, H, W), float32
};

/// The tensor of a .npy file, or `input` of a .safetensors file, of shape (3, H, W) or (1, 3, H, W).
bool holds_tensor(const std::string& path);

/// One Input a path, with those tensors read that need no preprocessing. Throws Error naming the file that is
/// missing or cannot be used.
std::vector<Input> open_inputs(const std::vector<std::string>& paths);

/// Reads the photographs.
void read_photographs(std::span<Input> inputs, const Preprocessing& how);

}  // namespace loupe
