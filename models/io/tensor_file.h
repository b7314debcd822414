// One tensor of a file.
#pragma once
#include <string>

#include "engine/tensor/tensor.h"

namespace loupe {

/// The array of a .npy file; of a .safetensors file the tensor `baseline`, `input`, or the only one. Throws Error, one
/// line that names the file.
Tensor read_tensor_file(const std::string& path);

}  // namespace loupe
