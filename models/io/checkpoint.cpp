#include "models/io/checkpoint.h"

#include <charconv>
#include <cstring>

#include "models/io/safetensors.h"

namespace loupe {

namespace {
constexpr const char* kStep = "loupe.next_step";
constexpr const char* kChecksum = "loupe.checksum";

// FNV-1a (Fowler, Noll & Vo) over 8 bytes at a time.
uint64_t add(uint64_t hash, const void* data, size_t bytes) {
  const auto* p = static_cast<const char*>(data);
  for (size_t i = 0; i < bytes; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, p + i, std::min<size_t>(8, bytes - i));
    hash = (hash ^ word) * 0x100000001b3u;
  }
  return hash;
}

std::string checksum(const Checkpoint& c) {
  uint64_t hash = 0xcbf29ce484222325u;
  hash = add(hash, &c.state.next_step, sizeof c.state.next_step);
  for (const auto& [name, tensor] : c.state.tensors) {
    hash = add(hash, name.data(), name.size());
    hash = add(hash, tensor.raw(), static_cast<size_t>(tensor.bytes()));
  }
  for (const auto& [name, value] : c.settings) {
    hash = add(hash, name.data(), name.size());
    hash = add(hash, value.data(), value.size());
  }
  return std::to_string(hash);
}
}  // namespace

void write_checkpoint(const std::string& path, const Checkpoint& c) {
  std::map<std::string, std::string> metadata = c.settings;
  metadata[kStep] = std::to_string(c.state.next_step);
  metadata[kChecksum] = checksum(c);
  write_safetensors(path, {c.state.tensors.begin(), c.state.tensors.end()}, metadata);
}

Checkpoint read_checkpoint(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Checkpoint c{.state = {}, .settings = file.metadata()};
  const auto take = [&](const char* key) {
    const auto found = c.settings.extract(key);
    if (found.empty())
      throw Error("'" + path + "' is not a checkpoint of training: it does not say '" + key + "'");
    return found.mapped();
  };
  const std::string step = take(kStep), sum = take(kChecksum);
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), c.state.next_step);
  if (error != std::errc() || end != step.data() + step.size() || c.state.next_step < 0)
    throw Error("'" + path + "' is not a checkpoint of training: its step is '" + step + "'");
  for (const std::string& name : file.names()) c.state.tensors.emplace(name, file.tensor(name).clone());
  if (checksum(c) != sum)
    throw Error("the checkpoint '" + path + "' is damaged: its checksum does not fit what it holds");
  return c;
}

}  // namespace loupe
