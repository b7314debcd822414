// What an earlier run of `loupe features` drew before it was stopped.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "engine/image/image.h"
#include "tools/loupe/features/features.h"

namespace loupe {

/// Strips in a folder, of the search and the ways that the folder's file "drawn" has the digest of.
class Drawn {
 public:
  /// Makes the folder. What it holds of another search is removed: strips of these layers, and files that a run which
  /// was killed left half written.
  Drawn(std::filesystem::path folder, const Search& search, std::span<const Way> ways);

  std::filesystem::path file(size_t layer, size_t channel) const;
  /// The strip, where it was drawn and can be read.
  std::optional<Image> strip(size_t layer, size_t channel) const;

 private:
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> layers_ = {};
  bool goes_on_ = false;
};

}  // namespace loupe
