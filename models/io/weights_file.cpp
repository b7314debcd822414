#include "models/io/weights_file.h"

#include <algorithm>
#include <cstring>

#include "engine/file/mapped_file.h"
#include "kernels/common/error.h"

namespace loupe {
namespace {

struct Foreign {
  std::string_view start, name;
  size_t at = 0;
};
constexpr Foreign kForeign[] = {
    {"\x89HDF", "an HDF5 file, of Keras perhaps"},
    {"\x1f\x8b", "compressed with gzip; unpack it first"},
    {"\x93NUMPY", "a NumPy array"},
    {"<", "HTML or XML, perhaps the page that should have led to the file"},
    {"version https://git-lfs", "a pointer of Git LFS; `git lfs pull` gets the file itself"},
    {"ustar", "a tar archive; unpack it, or save it again with a newer torch", 257},
};

// What the file is if it is none of ours.
std::string_view foreign(std::string_view bytes) {
  for (const Foreign& f : kForeign)
    if (bytes.size() > f.at && bytes.substr(f.at).starts_with(f.start)) return f.name;
  // Protocol buffers: field 1, the version, then the producer's name.
  if (bytes.size() > 3 && bytes[0] == 8 && bytes[1] > 0 && bytes[1] < 32 &&
      (bytes[2] == 0x12 || bytes[2] == 0x3a))
    return "an ONNX network";
  if (bytes.starts_with('\x80') && bytes.size() > 1 && bytes[1] >= 1 && bytes[1] <= 5)
    return "a pickle, but not one of torch.save; save the state_dict() with torch.save";
  const std::string_view begin = bytes.substr(0, 64);
  if (std::ranges::all_of(begin,
                          [](char c) { return c == '\n' || c == '\r' || c == '\t' || c >= ' ' || c < 0; }))
    return "a text";
  return {};
}

// A length of less than 2^32 in 8 bytes, then JSON.
bool is_safetensors(std::string_view bytes) {
  return bytes.size() > 8 && bytes[8] == '{' && bytes.substr(4, 4) == std::string_view("\0\0\0\0", 4);
}

}  // namespace

WeightsFile WeightsFile::open(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  if (!is_safetensors(text)) {
    if (GgufFile::starts(file->bytes())) return GgufFile::parse(file->bytes(), path, file);
    if (TorchFile::starts(file->bytes())) return TorchFile::parse(file->bytes(), path, file);
    if (const std::string_view name = foreign(text); !name.empty())
      throw Error("'" + path +
                  "' is no file of weights that Loupe reads (safetensors, GGUF, or torch.save's): it is " +
                  std::string(name));
  }
  return SafetensorsFile::parse(file->bytes(), path, file);
}

void WeightsFile::take_names() {
  names_ = std::visit([](const auto& file) { return file.names(); }, file_);
  for (const std::string& name : names_) stored_.emplace(name, name);
}

void WeightsFile::rename(const std::function<std::string(const std::string&)>& name) {
  for (std::string& old : names_) {
    const std::string now = name(old);
    if (stored_.contains(now)) continue;
    stored_.emplace(now, stored_.at(old));
    stored_.erase(old);
    old = now;
  }
}

namespace {
// A name that nobody has leads to the file's own error.
const std::string& stored_name(const std::map<std::string, std::string, std::less<>>& stored,
                               const std::string& name) {
  const auto found = stored.find(name);
  return found == stored.end() ? name : found->second;
}
}  // namespace

const TensorInfo& WeightsFile::info(std::string_view name) const {
  const std::string asked(name);
  return std::visit(
      [&](const auto& file) -> const TensorInfo& { return file.info(stored_name(stored_, asked)); }, file_);
}

Tensor WeightsFile::tensor(std::string_view name) const {
  const std::string asked(name);
  return std::visit([&](const auto& file) { return file.tensor(stored_name(stored_, asked)); }, file_);
}

std::string WeightsFile::strip_prefix(const std::vector<std::string>& wanted) {
  std::string taken;
  for (;;) {
    if (names_.empty()) return taken;
    const size_t dot = names_.front().find('.');
    if (dot == std::string::npos) return taken;
    const std::string prefix = names_.front().substr(0, dot + 1);
    const auto starts = [&](const std::string& name) { return name.starts_with(prefix); };
    if (!std::ranges::all_of(names_, starts) || std::ranges::any_of(wanted, starts)) return taken;
    rename([&](const std::string& name) { return name.substr(prefix.size()); });
    taken += prefix;
  }
}

}  // namespace loupe
