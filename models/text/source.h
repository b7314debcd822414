// Where a text model comes from: a GGUF file, a Hugging Face folder (config.json with model.safetensors, or with the
// shards that model.safetensors.index.json names), or a safetensors file that Loupe wrote. Settings and tensors by
// name; families (family.h) know what they mean.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/io/gguf.h"
#include "models/io/weights_file.h"
#include "models/text/flat_json.h"

namespace loupe {

class TextSource {
 public:
  /// Throws Error, one line that names the file, for one that is missing, damaged, or none of the three.
  static TextSource open(const std::filesystem::path& path);
  /// A safetensors file of Loupe's. Throws Error, which starts with `name`, for another one.
  static TextSource own(SafetensorsFile file, std::string name);

  enum class Kind : uint8_t { gguf, folder, own };
  Kind kind() const { return kind_; }
  /// For messages: 'the path'.
  const std::string& name() const { return name_; }
  /// general.architecture, or model_type; empty where nothing is said.
  std::string architecture() const;
  /// The GGUF file, whose keys hold its tokeniser, too; null elsewhere.
  const GgufFile* gguf() const { return gguf_ ? &*gguf_ : nullptr; }

  /// A setting: of GGUF the key <architecture>.<gguf>, else that of config.json. Nothing where it is not there. Throw
  /// Error, naming it, where it is of another type.
  std::optional<int64_t> integer(std::string_view gguf, std::string_view json) const;
  std::optional<double> number(std::string_view gguf, std::string_view json) const;
  std::optional<std::string> text(std::string_view gguf, std::string_view json) const;
  std::optional<bool> flag(std::string_view gguf, std::string_view json) const;
  /// A whole number of 1 to 2^31 − 1. Throws Error where it is missing or another.
  int64_t size(std::string_view gguf, std::string_view json) const;
  int64_t size(std::string_view gguf, std::string_view json, int64_t otherwise) const;
  /// All of config.json, or of a file of Loupe's.
  const std::map<std::string, JsonScalar, std::less<>>& settings() const { return settings_; }
  /// Settings of config.json whose path starts so.
  std::vector<std::string> below(std::string_view json) const;

  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return files_.contains(name); }
  Shape shape(std::string_view name) const;
  Tensor tensor(std::string_view name) const;

 private:
  void open_folder(const std::filesystem::path& folder);
  void open_shards(const std::filesystem::path& index);
  void add(WeightsFile file, const std::vector<std::string>* only = nullptr);
  size_t file_of(std::string_view name) const;
  const JsonScalar* setting(std::string_view json) const;

  Kind kind_ = Kind::gguf;
  std::string name_;
  std::optional<GgufFile> gguf_;
  std::vector<WeightsFile> shards_;
  std::vector<std::string> names_;
  std::map<std::string, size_t, std::less<>> files_;  // name → shard; of GGUF 0
  std::map<std::string, JsonScalar, std::less<>> settings_;
};

}  // namespace loupe
