#include "models/text/source.h"

#include <cstdlib>
#include <set>

#include "engine/file/mapped_file.h"
#include "kernels/common/error.h"
#include "models/io/safetensors_header.h"
#include "models/text/text_file.h"

namespace loupe {

using safetensors::in_quotes;
namespace fs = std::filesystem;

namespace {

std::map<std::string, JsonScalar, std::less<>> read_json(const fs::path& path) {
  const auto file = MappedFile::open(path.string());
  const auto bytes = file->bytes();
  return flat_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "'" + path.string() + "'");
}

[[noreturn]] void wrong(const std::string& file, std::string_view key, const char* wanted) {
  throw Error(file + ": its setting " + in_quotes(key) + " is not " + wanted);
}

}  // namespace

TextSource TextSource::open(const fs::path& path) {
  TextSource source;
  source.name_ = "'" + path.string() + "'";
  std::error_code error;
  if (fs::is_directory(path, error)) {
    source.open_folder(path);
    return source;
  }
  const auto file = MappedFile::open(path.string());
  if (GgufFile::starts(file->bytes())) {
    source.gguf_ = GgufFile::parse(file->bytes(), path.string(), file);
    source.names_ = source.gguf_->names();
    for (const std::string& name : source.names_) source.files_[name] = 0;
    return source;
  }
  return own(SafetensorsFile::parse(file->bytes(), path.string(), file), source.name_);
}

TextSource TextSource::own(SafetensorsFile file, std::string name) {
  TextSource source;
  source.kind_ = Kind::own;
  source.name_ = std::move(name);
  source.settings_ = text_settings(file.metadata());
  if (source.settings_.empty())
    throw Error(source.name_ +
                " says of no text model what it is; name its folder, which has config.json, too");
  source.add(WeightsFile(std::move(file)));
  return source;
}

void TextSource::open_folder(const fs::path& folder) {
  kind_ = Kind::folder;
  std::error_code error;
  if (!fs::exists(folder / "config.json", error))
    throw Error(name_ +
                " has no config.json; a folder of Hugging Face's form has one, and model.safetensors");
  settings_ = read_json(folder / "config.json");
  if (const fs::path whole = folder / "model.safetensors"; fs::exists(whole, error))
    return add(WeightsFile::open(whole.string()));
  if (const fs::path index = folder / "model.safetensors.index.json"; fs::exists(index, error))
    return open_shards(index);
  if (const fs::path torch = folder / "pytorch_model.bin"; fs::exists(torch, error))
    return add(WeightsFile::open(torch.string()));
  throw Error(name_ + " has no weights: neither model.safetensors nor model.safetensors.index.json");
}

void TextSource::open_shards(const fs::path& index) {
  const std::string prefix = "weight_map.", file = "'" + index.string() + "'";
  std::map<std::string, std::vector<std::string>> tensors;  // by shard
  for (const auto& [path, value] : read_json(index)) {
    if (!path.starts_with(prefix)) continue;
    const std::string* shard = std::get_if<std::string>(&value);
    if (!shard || shard->empty() || fs::path(*shard).filename() != *shard || *shard == "." || *shard == "..")
      throw Error(file + ": tensor " + in_quotes(path.substr(prefix.size())) +
                  " is in no file of this folder");
    tensors[*shard].push_back(path.substr(prefix.size()));
  }
  if (tensors.empty()) throw Error(file + " names no shards");
  for (const auto& [shard, names] : tensors)
    add(WeightsFile::open((index.parent_path() / shard).string()), &names);
}

void TextSource::add(WeightsFile file, const std::vector<std::string>* only) {
  for (const std::string& name : only ? *only : file.names()) {
    file.info(name);  // it must be there
    if (files_.emplace(name, shards_.size()).second) names_.push_back(name);
  }
  shards_.push_back(std::move(file));
}

std::string TextSource::architecture() const {
  if (gguf_) return gguf_->text("general.architecture").value_or("");
  return text("", "model_type").value_or("");
}

const JsonScalar* TextSource::setting(std::string_view json) const {
  const auto found = settings_.find(json);
  return found == settings_.end() ? nullptr : &found->second;
}

namespace {
std::string key_of(const TextSource& source, std::string_view gguf) {
  return source.architecture() + "." + std::string(gguf);
}
}  // namespace

std::optional<int64_t> TextSource::integer(std::string_view gguf, std::string_view json) const {
  if (gguf_) return gguf.empty() ? std::nullopt : gguf_->integer(key_of(*this, gguf));
  const JsonScalar* value = setting(json);
  if (!value) return std::nullopt;
  if (const auto* whole = std::get_if<int64_t>(value)) return *whole;
  wrong(name_, json, "a whole number");
}

std::optional<double> TextSource::number(std::string_view gguf, std::string_view json) const {
  if (gguf_) return gguf.empty() ? std::nullopt : gguf_->number(key_of(*this, gguf));
  const JsonScalar* value = setting(json);
  if (!value) return std::nullopt;
  if (const auto* whole = std::get_if<int64_t>(value)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(value)) return *real;
  wrong(name_, json, "a number");
}

std::optional<std::string> TextSource::text(std::string_view gguf, std::string_view json) const {
  if (gguf_) return gguf.empty() ? std::nullopt : gguf_->text(key_of(*this, gguf));
  const JsonScalar* value = setting(json);
  if (!value) return std::nullopt;
  if (const auto* text = std::get_if<std::string>(value)) return *text;
  wrong(name_, json, "a text");
}

std::optional<bool> TextSource::flag(std::string_view gguf, std::string_view json) const {
  if (gguf_) return gguf.empty() ? std::nullopt : gguf_->flag(key_of(*this, gguf));
  const JsonScalar* value = setting(json);
  if (!value) return std::nullopt;
  if (const bool* flag = std::get_if<bool>(value)) return *flag;
  wrong(name_, json, "true or false");
}

int64_t TextSource::size(std::string_view gguf, std::string_view json) const {
  const int64_t none = 0, value = integer(gguf, json).value_or(none);
  if (value >= 1 && value <= INT32_MAX) return value;
  const std::string key = gguf_ ? key_of(*this, gguf) : std::string(json);
  throw Error(name_ + ": its setting " + in_quotes(key) +
              (integer(gguf, json) ? " is " + std::to_string(value) + ", which is no size" : " is missing"));
}

int64_t TextSource::size(std::string_view gguf, std::string_view json, int64_t otherwise) const {
  return integer(gguf, json) ? size(gguf, json) : otherwise;
}

std::vector<std::string> TextSource::below(std::string_view json) const {
  std::vector<std::string> paths;
  for (const auto& [path, value] : settings_)
    if (path.starts_with(json)) paths.push_back(path);
  return paths;
}

size_t TextSource::file_of(std::string_view name) const {
  const auto found = files_.find(name);
  if (found == files_.end())
    throw Error(name_ + " has no tensor " + in_quotes(name) + " among its " + std::to_string(names_.size()));
  return found->second;
}

Shape TextSource::shape(std::string_view name) const {
  const size_t file = file_of(name);
  return gguf_ ? gguf_->info(name).shape : shards_[file].info(name).shape;
}

Tensor TextSource::tensor(std::string_view name) const {
  const size_t file = file_of(name);
  return gguf_ ? gguf_->tensor(name) : shards_[file].tensor(name);
}

}  // namespace loupe
