#include "models/io/switches.h"

#include "models/io/safetensors.h"

namespace loupe {

void write_switches(const std::string& path, const Switches& switches,
                    const std::map<std::string, std::string>& about) {
  write_safetensors(path, NamedTensors(switches.begin(), switches.end()), about);
}

Switches read_switches(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Switches all;
  for (const std::string& name : file.names()) {
    Tensor t = file.tensor(name);
    if (t.dtype() != Dtype::u8)
      throw Error("'" + name + "' in '" + path + "' is " + std::string(dtype_name(t.dtype())) +
                  "; switches are u8");
    all.emplace(name, std::move(t));
  }
  return all;
}

}  // namespace loupe
