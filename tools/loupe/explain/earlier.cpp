// Which files in an output folder a run may replace: those that an earlier run wrote, and no others.
#include <fstream>
#include <set>

#include "kernels/common/error.h"
#include "models/io/safetensors.h"
#include "tools/loupe/explain/page_parts.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

bool begins_as_page(const fs::path& file) {
  const std::string mark = kPageMark;
  std::string start(mark.size(), '\0');
  std::ifstream in(file, std::ios::binary);
  return in.read(start.data(), std::ssize(start)) && start == mark;
}

// The tensors' metadata name the pictures beside them.
bool is_folder_of_answer(const fs::path& folder) {
  std::set<std::string> known{kTensorsFile, kSwitchesFile, kPageFile, kThumbnailFile};
  try {
    const auto tensors = SafetensorsFile::open((folder / kTensorsFile).string());
    if (!tensors.metadata().contains("loupe")) return false;
    for (const std::string& name : split_commas(tensors.metadata().at("pictures"))) known.insert(name);
  } catch (const std::exception&) {
    return false;
  }
  for (const auto& entry : fs::directory_iterator(folder))
    if (!entry.is_regular_file() || !known.contains(entry.path().filename().string())) return false;
  return true;
}

// An answer, or a folder with one for each thing that was asked.
bool is_folder_of_image(const fs::path& folder) {
  if (is_folder_of_answer(folder)) return true;
  int answers = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && (name == kPageFile || name == kThumbnailFile || name == kSwitchesFile))
      continue;
    if (entry.is_symlink() || !entry.is_directory() || !is_folder_of_answer(entry.path())) return false;
    ++answers;
  }
  return answers > 0;
}

}  // namespace

bool is_earlier_result(const fs::path& entry) {
  const auto status = fs::symlink_status(entry);
  if (fs::is_directory(status)) return is_folder_of_image(entry);
  return fs::is_regular_file(status) && entry.filename() == kPageFile && begins_as_page(entry);
}

}  // namespace loupe
