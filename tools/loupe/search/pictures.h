// The pictures that a search looks at: a folder's files, and drawn ones that are nowhere on a disk.
#pragma once
#include <cstdint>
#include <string>

#include "engine/file/file_names.h"
#include "engine/image/preprocess.h"

namespace loupe {

/// A folder's files, in all its folders, in the order of their names; then `drawn` pictures of the zoo. What is kept
/// are some names (FileNames).
class PictureList {
 public:
  /// Throws UsageError where there is no such folder, or nothing in it, and nothing is drawn either. Hidden files and
  /// what lies in the folder `except` do not count. A single file is taken, too.
  PictureList(std::string folder, int64_t drawn, uint64_t seed, const std::string& except);

  int64_t drawn() const { return drawn_; }
  int64_t size() const { return files() + drawn_; }
  /// "birds/toucan.jpg", "zoo:1:000000042".
  std::string name(int64_t i);
  /// What picture `name` shows, as far as it says so: of a drawn one its class, of a file the first folder that it lies
  /// in ("birds"), or "".
  std::string label(const std::string& name) const;
  /// (1, C, H, W). Throws Error, one line, for what cannot be read.
  Tensor read(const std::string& name, const Preprocessing& how, Orientation orientation) const;
  /// Of all names and the files' sizes.
  uint64_t digest() const { return digest_; }
  const std::string& folder() const { return folder_; }

 private:
  int64_t files() const { return file_.empty() ? files_.size() : 1; }

  std::string folder_, file_ = {};  // a single file
  FileNames files_ = {};
  int64_t drawn_;
  uint64_t seed_, digest_ = 0;
};

}  // namespace loupe
