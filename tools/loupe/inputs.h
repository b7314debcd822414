// What `loupe explain` looks at: photographs, and files that hold a preprocessed tensor.
#pragma once
#include <string>
#include <vector>

#include "engine/image/preprocess.h"

namespace loupe {

struct Input {
  std::string path;
  std::string name;  // the file's stem, made unique: the folder of its results
};

/// One Input a path. Nothing is read.
std::vector<Input> name_inputs(const std::vector<std::string>& paths);

/// The tensor of a .npy file, or `input` of a .safetensors file, of shape (C, H, W) or (1, C, H, W); or a photograph,
/// prepared. The result is (1, C, H, W), float32, with C = how.channels. Throws Error naming the file that is missing or
/// cannot be used.
Tensor read_input(const std::string& path, const Preprocessing& how, Orientation orientation);

}  // namespace loupe
