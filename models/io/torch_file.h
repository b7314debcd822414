// Files of torch.save: zip archives (torch 1.6 and newer), the stream of pickles before, and the archives of
// TorchScript. Nothing in them is executed: the pickle is read as data (pickle.h), and tensors are found in it
// (torch_tensors.h).
//
//     zip:     NAME/data.pkl, NAME/data/KEY: a storage each, stored as it is, NAME/byteorder …
//     stream:  pickles of a magic number, 1001, the system, the object and the storages' keys; then of each
//              storage: i64 elements │ its bytes
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/io/stored_tensor.h"

namespace loupe {

class TorchFile {
 public:
  /// Whether a file that starts with these bytes is a zip archive or a stream of torch.save.
  static bool starts(std::span<const std::byte> bytes);
  /// Maps the file and checks what it says of every tensor. Throws Error, one line that names the file.
  static TorchFile open(const std::string& path);
  /// The same from bytes in memory that `owner` (not null) keeps alive; `name` stands for the file in errors.
  static TorchFile parse(std::span<const std::byte> bytes, const std::string& name,
                         std::shared_ptr<const void> owner);

  /// In the order of the state dict.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return entries_.contains(name); }
  /// Throws Error naming the tensor if the file does not hold it.
  const TensorInfo& info(std::string_view name) const { return entry(name).info; }
  /// As stored_tensor() makes it: a view of the file where its elements lie there in order, aligned, and of a
  /// type of ours. Tensors that share a storage are views of the same bytes.
  Tensor tensor(std::string_view name) const;

 private:
  struct Entry {
    TensorInfo info;
    uint64_t element_bytes;
    std::vector<uint64_t> strides;
    std::span<const std::byte> data;  // from the first element to the last
  };
  const Entry& entry(std::string_view name) const;
  void read_zip(std::span<const std::byte> bytes);
  void read_stream(std::span<const std::byte> bytes);

  std::string file_;
  std::shared_ptr<const void> owner_;
  std::vector<std::string> names_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace loupe
