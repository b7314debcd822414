// What an earlier run drew, of the same things.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/image/image.h"
#include "tools/loupe/features/features.h"

namespace loupe {

/// Strips in a folder. Beside a layer's folder <layer>.json says what they hang on: hits, ways and settings.
class Drawn {
 public:
  /// Makes the folders. What they hold of other things is removed: strips, and files that a run which was killed left half
  /// written.
  Drawn(std::filesystem::path folder, const Search& search, std::span<const Way> ways);

  std::filesystem::path file(size_t layer, size_t channel) const;
  /// The strip, where it was drawn and can be read.
  std::optional<Image> strip(size_t layer, size_t channel) const;

 private:
  struct Layer {
    std::filesystem::path folder;
    bool goes_on;
  };
  std::vector<Layer> layers_ = {};
};

/// Whether all strips of a layer are there, with these ways back, of these hits. Looks, and changes nothing.
bool strips_are_there(const Search& search, size_t layer, std::span<const Way> ways,
                      const std::filesystem::path& folder);

}  // namespace loupe
