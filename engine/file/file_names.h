// FileNames: the names of all files below a folder, in order, in memory that does not grow with their number.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace loupe {

/// Sorted byte by byte. Of the names a stretch of so many is in memory at once, and the first one of each stretch; another
/// stretch takes another walk through the folder.
class FileNames {
 public:
  static constexpr int64_t kStretch = 65'536;

  FileNames() = default;
  /// All files in all folders below, by names relative to `folder`. Hidden ones and what lies in the folder `except` do
  /// not count. Throws std::filesystem::filesystem_error where a folder cannot be read.
  explicit FileNames(std::filesystem::path folder, std::filesystem::path except = {},
                     int64_t stretch = kStretch);

  int64_t size() const { return size_; }
  /// Throws Error where the names of a stretch that is read again are not those that were listed.
  const std::string& at(int64_t i);

 private:
  std::filesystem::path folder_, except_;
  int64_t stretch_ = kStretch, size_ = 0;
  struct Stretch {
    std::string first;
    uint64_t digest;  // of its names
  };
  std::vector<Stretch> stretches_ = {};
  std::vector<std::string> names_ = {};  // of stretch now_
  int64_t now_ = -1;
};

}  // namespace loupe
