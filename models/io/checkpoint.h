// Checkpoints of training: a safetensors file with the tensors of a TrainingState, and what to go on with as
// metadata. A checksum tells a damaged file from a sound one, which matters more here than elsewhere: wrong
// weights would be trained on without a word.
#pragma once
#include <map>
#include <string>

#include "engine/training/trainer.h"

namespace loupe {

struct Checkpoint {
  TrainingState state;
  std::map<std::string, std::string> settings;  // the caller's, as text
};

/// The file appears whole or stays as it was. Throws Error, naming the file, where it cannot be written.
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);
/// Throws Error, naming the file, where it is missing, not a checkpoint, or damaged.
Checkpoint read_checkpoint(const std::string& path);

}  // namespace loupe
