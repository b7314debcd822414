#include "models/io/torch_file.h"

#include <algorithm>
#include <cstring>

#include "engine/file/mapped_file.h"
#include "kernels/common/error.h"
#include "models/io/pickle.h"
#include "models/io/safetensors_header.h"
#include "models/io/torch_tensors.h"
#include "models/io/zip.h"

namespace loupe {

using pickle::Kind;
using pickle::Pickle;
using pickle::Ref;
using pickle::Value;
using safetensors::in_quotes;
using torch_format::StorageRef;
using torch_format::TensorRef;

namespace {

// 0x1950a86a20f9469cfc6c, as protocols 2 and up write it (its bytes) and protocols 0 and 1 (its digits).
constexpr std::string_view kMagicBytes = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::string_view kMagicDigits = "119547037146038801333356";

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool in_order(const std::vector<uint64_t>& strides, const Shape& shape) {
  uint64_t expected = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[static_cast<size_t>(i)] != expected) return false;
    expected *= static_cast<uint64_t>(shape[i]);
  }
  return true;
}

// Elements of `bytes` each that lie `strides` apart, one after the other.
void gather(std::span<const std::byte> from, std::byte* to, uint64_t bytes, const Shape& shape,
            const std::vector<uint64_t>& strides) {
  std::vector<int64_t> at(static_cast<size_t>(shape.rank()), 0);
  uint64_t offset = 0;  // of the element at `at`
  for (int64_t left = shape.numel(); left > 0; --left) {
    std::memcpy(to, from.data() + offset * bytes, bytes);
    to += bytes;
    for (size_t i = at.size(); i-- > 0;) {
      offset += strides[i];
      if (++at[i] < shape[static_cast<int>(i)]) break;
      offset -= strides[i] * static_cast<uint64_t>(at[i]);
      at[i] = 0;
    }
  }
}

}  // namespace

bool TorchFile::starts(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes.first(std::min<size_t>(bytes.size(), 64)));
  return text.starts_with("PK\3\4") || text.starts_with("L" + std::string(kMagicDigits)) ||
         (text.size() >= 14 && text[0] == '\x80' && text.substr(1, 13).find(kMagicBytes) != text.npos);
}

TorchFile TorchFile::open(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  return parse(file->bytes(), path, file);
}

TorchFile TorchFile::parse(std::span<const std::byte> bytes, const std::string& name,
                           std::shared_ptr<const void> owner) {
  TorchFile file;
  file.file_ = "'" + name + "'";
  file.owner_ = std::move(owner);
  if (as_text(bytes).starts_with("PK"))
    file.read_zip(bytes);
  else
    file.read_stream(bytes);
  if (file.names_.empty())
    throw Error(file.file_ + ": there are no tensors in it; save the network's state_dict() with torch.save");
  return file;
}

void TorchFile::read_zip(std::span<const std::byte> bytes) {
  const ZipFile zip(bytes, file_);
  std::string folder;
  for (const auto& [name, entry] : zip.entries())
    if (name.ends_with("/data.pkl") && std::ranges::count(name, '/') == 1)
      folder = name.substr(0, name.size() - std::string_view("data.pkl").size());
  if (folder.empty()) throw Error(file_ + " is a zip archive, but not one of torch.save: it has no data.pkl");
  if (zip.contains(folder + "byteorder") && as_text(zip.read(folder + "byteorder")) != "little")
    throw Error(file_ + ": it was saved on a big-endian machine, which Loupe does not read");
  const Pickle pickle(zip.read(folder + "data.pkl"), file_);
  for (auto& [name, t] : torch_format::find_tensors(pickle, file_)) {
    const auto data = zip.read(folder + "data/" + t.storage.key);
    if (t.end > data.size())
      throw Error(file_ + ": tensor " + in_quotes(name) + ": its storage should hold " +
                  std::to_string(t.end) + " bytes, but has " + std::to_string(data.size()));
    if (!entries_.contains(name)) names_.push_back(name);
    entries_[name] = {t.info, t.element_bytes, t.strides, data.subspan(t.begin, t.end - t.begin)};
  }
}

void TorchFile::read_stream(std::span<const std::byte> bytes) {
  size_t at = 0;
  const auto next = [&] {
    Pickle pickle(bytes.subspan(at), file_);
    at += pickle.length();
    return pickle;
  };
  const Pickle magic = next();
  const Value& number = magic[magic.root()];
  if (number.kind != Kind::big_integer || (number.text != kMagicBytes && number.text != kMagicDigits))
    throw Error(file_ + " is a pickle, but not one of torch.save; save the state_dict() with torch.save");
  const Pickle version = next(), system = next();
  if (version[version.root()].integer != 1001)
    throw Error(file_ + ": torch.save wrote it in a way that Loupe does not know");
  if (const Ref little = system.find(system[system.root()], "little_endian");
      little && !system[little].integer)
    throw Error(file_ + ": it was saved on a big-endian machine, which Loupe does not read");
  const Pickle object = next(), keys = next();

  std::map<std::string, uint64_t, std::less<>> element_bytes;
  for (Ref ref = 0; ref < object.count(); ++ref)
    if (const auto storage = torch_format::storage_at(object, ref, file_))
      element_bytes[storage->key] = storage->element_bytes;
  std::map<std::string, std::span<const std::byte>, std::less<>> storages;
  for (const Ref key : keys[keys.root()].items) {
    const auto known = element_bytes.find(keys[key].text);
    if (known == element_bytes.end())
      throw Error(file_ + ": it has a storage " + in_quotes(keys[key].text) + " that nothing refers to");
    uint64_t elements = 0;
    const uint64_t left = bytes.size() - at;
    if (left >= sizeof elements) std::memcpy(&elements, bytes.data() + at, sizeof elements);
    if (left < sizeof elements || elements > (left - sizeof elements) / known->second)
      throw Error(file_ + " is cut short: its storage " + in_quotes(known->first) +
                  " does not fit into the " + std::to_string(left) + " bytes that are left");
    const uint64_t length = elements * known->second;
    storages[known->first] = bytes.subspan(at + sizeof elements, length);
    at += sizeof elements + length;
  }
  for (auto& [name, t] : torch_format::find_tensors(object, file_)) {
    const auto data = storages.find(t.storage.key);
    if (data == storages.end() || t.end > data->second.size())
      throw Error(file_ + ": tensor " + in_quotes(name) + ": its storage should hold " +
                  std::to_string(t.end) + " bytes, but has " +
                  std::to_string(data == storages.end() ? 0 : data->second.size()));
    if (!entries_.contains(name)) names_.push_back(name);
    entries_[name] = {t.info, t.element_bytes, t.strides, data->second.subspan(t.begin, t.end - t.begin)};
  }
}

const TorchFile::Entry& TorchFile::entry(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    throw Error(file_ + " has no tensor " + in_quotes(name) + " among its " + std::to_string(names_.size()));
  return found->second;
}

Tensor TorchFile::tensor(std::string_view name) const {
  const Entry& e = entry(name);
  const std::string what = file_ + ": tensor " + in_quotes(name);
  if (in_order(e.strides, e.info.shape) || e.info.shape.numel() == 0)
    return stored_tensor(e.info, e.data, owner_, what);
  const size_t bytes = static_cast<size_t>(e.info.shape.numel()) * e.element_bytes;
  const std::shared_ptr<Storage> copy = Storage::allocate(static_cast<int64_t>(bytes));
  gather(e.data, copy->data(), e.element_bytes, e.info.shape, e.strides);
  return stored_tensor(e.info, {copy->data(), bytes}, copy, what);
}

}  // namespace loupe
