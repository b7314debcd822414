// MappedFile: a whole file as read-only bytes, paged in as they are read and shared between processes.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace loupe {

class MappedFile {
 public:
  /// Throws Error naming the file if it is missing, not a regular file, empty or unreadable. The file must
  /// not be shortened while it is mapped: the operating system would end the process at the next read of a
  /// lost page.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace loupe
