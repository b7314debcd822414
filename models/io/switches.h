// Switches in a file: a safetensors file of the pools' u8 tensors, by their names.
#pragma once
#include <string>

#include "engine/run/switches.h"

namespace loupe {

/// `about`: what they were made of, for the file's metadata. Throws Error where it cannot be written.
void write_switches(const std::string& path, const Switches& switches,
                    const std::map<std::string, std::string>& about = {});
/// Every tensor of the file. Throws Error naming the file, and the tensor that is not u8.
Switches read_switches(const std::string& path);

}  // namespace loupe
