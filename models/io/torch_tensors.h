// The tensors that a pickle of torch.save describes: their names, as state_dict() gives them, and where their
// elements lie. Calls of torch's tensor builders are understood here, and no others.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/io/pickle.h"
#include "models/io/stored_tensor.h"

namespace loupe::torch_format {

/// A run of elements outside the pickle, which tensors share.
struct StorageRef {
  std::string key;
  std::string_view dtype;  // safetensors' name; "" for bytes of no type
  uint64_t element_bytes = 1;
  uint64_t elements = 0;  // that the pickle says it has
  uint64_t first = 0;     // of the elements, for a part of a larger storage
};

struct TensorRef {
  TensorInfo info;
  uint64_t element_bytes = 1;
  std::vector<uint64_t> strides;  // in elements
  StorageRef storage;
  uint64_t begin = 0, end = 0;  // bytes of the storage that its elements lie in
};

/// The storage that a persistent id names; nothing for another value. Throws Error for one that makes no sense.
std::optional<StorageRef> storage_at(const pickle::Pickle& pickle, pickle::Ref ref, const std::string& file);

/// The tensors of a state dict; of one under "state_dict", "model_state_dict", "model", "net" or "ema"; or of a
/// pickled module, whose parameters, buffers and modules are walked as data. Names are paths with dots; what
/// comes twice under one name is as in Python the last. Throws Error, one line that starts with `file`, for a
/// tensor that contradicts itself, and where there are more names than networks have.
std::vector<std::pair<std::string, TensorRef>> find_tensors(const pickle::Pickle& pickle,
                                                            const std::string& file);

}  // namespace loupe::torch_format
