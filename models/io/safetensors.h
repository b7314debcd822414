// Files of named tensors in the safetensors format (https://github.com/huggingface/safetensors):
//
//     u64 little-endian n │ n bytes of JSON │ data
//     {"__metadata__": {"key": "text", …}, "name": {"dtype": "F32", "shape": [64, 3, 3, 3], "data_offsets":
//     [0, 6912]}, …}
//
// A file comes from anywhere, so reading trusts nothing: every failure is one line that names the file and
// the tensor.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/tensor/tensor.h"
#include "models/io/stored_tensor.h"

namespace loupe {

class SafetensorsFile {
 public:
  using Info = TensorInfo;

  /// Maps the file and checks its whole header. Throws Error.
  static SafetensorsFile open(const std::string& path);
  /// The same from bytes in memory that `owner` (not null) keeps alive; `name` stands for the file in errors.
  static SafetensorsFile parse(std::span<const std::byte> bytes, const std::string& name,
                               std::shared_ptr<const void> owner);

  /// In the order of their data.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return entries_.contains(name); }
  /// Throws Error naming the tensor if the file does not hold it.
  const Info& info(std::string_view name) const { return entry(name).info; }
  /// As stored_tensor() makes it: F32, F64, I32, U8 and BOOL are views where they are aligned, read-only memory
  /// that keeps the mapping alive. Throws Error for a type that is not read.
  Tensor tensor(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  struct Entry {
    Info info;
    std::span<const std::byte> data;
  };
  const Entry& entry(std::string_view name) const;

  std::string file_;
  std::shared_ptr<const void> owner_;
  std::vector<std::string> names_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::string> metadata_;
};

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Writes f32, f64, i32 and u8 tensors; the file appears whole or not at all. Data lies in the given order,
/// wider types first, so that every tensor is aligned. Throws Error for names that repeat and when the file
/// cannot be written.
void write_safetensors(const std::string& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});
/// The same with f32 and f64 tensors as F16, rounded to the nearest, ties to even. Throws Error, too, for a
/// value that is too large for it.
void write_safetensors_f16(const std::string& path, const NamedTensors& tensors,
                           const std::map<std::string, std::string>& metadata = {});

}  // namespace loupe
