// Files in the GGUF format of llama.cpp (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3:
//
//     "GGUF" │ u32 version │ u64 tensors │ u64 keys │ keys with values │ tensors' names, sizes, types │ data
//
// all little-endian. Sizes stand innermost first, so that {576, 192} is the shape (192, 576). Tensors are quantised in
// blocks (gguf_blocks.h). A file comes from anywhere, so reading trusts nothing: every failure is one line that names
// the file and the key or tensor.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/tensor/tensor.h"
#include "models/io/gguf_blocks.h"
#include "models/io/stored_tensor.h"

namespace loupe {

class GgufFile {
 public:
  /// Maps the file and checks all but the tensors' data. Throws Error.
  static GgufFile open(const std::string& path);
  /// The same from bytes in memory that `owner` (not null) keeps alive; `name` stands for the file in errors.
  static GgufFile parse(std::span<const std::byte> bytes, const std::string& name,
                        std::shared_ptr<const void> owner);
  /// Whether they begin as such a file.
  static bool starts(std::span<const std::byte> bytes);

  /// In the order of their data.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return entries_.contains(name); }
  /// Its type under GGUF's name: "Q4_1". Throws Error naming the tensor if the file does not hold it.
  const TensorInfo& info(std::string_view name) const { return entry(name).info; }
  /// Its numbers, f32 (i32 of whole numbers, f64 of F64). F32, I32 and F64 are views, read-only memory that keeps the
  /// mapping alive. Throws Error for a type that is not read, which it names.
  Tensor tensor(std::string_view name) const;

  /// Keys of the metadata, in the file's order, and whether one is there.
  const std::vector<std::string>& keys() const { return keys_; }
  bool has(std::string_view key) const { return values_.contains(key); }
  /// A value; nothing where the key is not there. Throw Error, naming the key, where it is of another type. Whole
  /// numbers are numbers, too.
  std::optional<std::string> text(std::string_view key) const;
  std::optional<int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  /// Arrays; empty where the key is not there. Texts are bytes as they stand in the file, UTF-8 or not.
  std::vector<std::string> texts(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;

 private:
  friend class GgufReader;
  struct Entry {
    TensorInfo info;
    const gguf::BlockType* type;
    std::span<const std::byte> data;
  };
  struct List {  // of an array
    uint32_t type;
    uint64_t count;
    std::span<const std::byte> data;
  };
  using Value = std::variant<int64_t, double, bool, std::string_view, List>;
  const Entry& entry(std::string_view name) const;
  const Value* find(std::string_view key) const;
  [[noreturn]] void fail_key(std::string_view key, const char* wanted) const;
  const List* find_list(std::string_view key, const char* wanted) const;

  std::string file_;
  std::shared_ptr<const void> owner_;
  std::vector<std::string> names_, keys_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace loupe
