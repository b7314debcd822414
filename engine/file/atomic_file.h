// AtomicFile: a file that appears whole or not at all. Bytes go to a temporary file in the same folder, which
// commit() renames; an AtomicFile that goes out of scope before that leaves nothing behind, and a file of
// that name as it was.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace loupe {

class AtomicFile {
 public:
  /// Throws Error naming the file if its folder does not exist or cannot be written.
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throw Error, with the system's reason (such as a full disk).
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void commit();

 private:
  [[noreturn]] void fail() const;
  std::string path_, temporary_;
  int fd_ = -1;
};

}  // namespace loupe
