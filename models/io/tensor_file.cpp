#include "models/io/tensor_file.h"

#include "engine/tensor/npy.h"
#include "models/io/safetensors.h"

namespace loupe {

Tensor read_tensor_file(const std::string& path) {
  if (!path.ends_with(".safetensors")) return read_npy(path);
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const char* name : {"baseline", "input"})
    if (file.contains(name)) return file.tensor(name);
  if (file.names().size() == 1) return file.tensor(file.names()[0]);
  throw Error("'" + path + "' holds " + std::to_string(file.names().size()) +
              " tensors, and none is called `baseline` or `input`");
}

}  // namespace loupe
