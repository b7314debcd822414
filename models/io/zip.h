// Zip archives whose entries are stored as they are, as torch.save writes them (PKWARE's APPNOTE.TXT: central
// directory, zip64). Checksums are not looked at: torch may leave them out.
#pragma once
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace loupe {

class ZipFile {
 public:
  /// Views of `bytes`. Throws Error, one line that starts with `file`, where it is cut short, contradicts itself,
  /// or where entries overlap.
  ZipFile(std::span<const std::byte> bytes, const std::string& file);

  struct Entry {
    std::span<const std::byte> data;
    bool stored;  // else compressed or encrypted, and `data` is empty
  };
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }
  bool contains(std::string_view name) const { return entries_.contains(name); }
  /// Throws Error where it is not there, or not stored as it is.
  std::span<const std::byte> read(std::string_view name) const;

 private:
  std::string file_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace loupe
