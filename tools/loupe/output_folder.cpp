#include "tools/loupe/output_folder.h"

#include <unistd.h>

#include "kernels/common/error.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

// A folder that disappears with all that is in it.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& parent)
      : path_(parent / (".loupe-" + std::to_string(::getpid()))) {
    fs::create_directory(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

[[noreturn]] void fail(const fs::path& folder, const std::string& why) {
  throw Error("cannot write to the output folder '" + folder.string() + "': " + why);
}

}  // namespace

OutputFolder::OutputFolder(Path folder, const std::vector<std::string>& subfolders)
    : folder_(std::move(folder)) {
  try {
    make_folders(folder_);
    TemporaryFolder trial(folder_);
    for (const std::string& s : subfolders) {
      const Path sub = folder_ / s;
      if (!fs::exists(sub)) continue;
      if (!fs::is_directory(sub)) fail(folder_, "'" + s + "' is in the way: it is not a folder");
      TemporaryFolder trial_inside(sub);
    }
    if (fs::is_directory(folder_ / "report.html"))
      fail(folder_, "'report.html' is in the way: it is a folder");
  } catch (const fs::filesystem_error& e) {
    remove_made();
    fail(folder_, e.code().message());
  } catch (...) {
    remove_made();
    throw;
  }
}

OutputFolder::~OutputFolder() { remove_made(); }

void OutputFolder::make_folders(const Path& folder) {
  if (folder.empty() || fs::is_directory(folder)) return;
  if (fs::exists(folder)) fail(folder_, "'" + folder.string() + "' is a file");
  make_folders(folder.parent_path());
  if (fs::create_directory(folder)) made_.push_back(folder);
}

void OutputFolder::remove_made() {
  std::error_code not_empty;
  while (!made_.empty() && fs::remove(made_.back(), not_empty)) made_.pop_back();
  made_.clear();
}

void OutputFolder::publish(const std::string& subfolder, const std::vector<File>& files) {
  publish(subfolder, [&](const Path& temporary) {
    std::vector<std::string> names;
    for (const File& f : files) {
      f.write(temporary / f.name);
      names.push_back(f.name);
    }
    return names;
  });
}

void OutputFolder::publish(const std::string& subfolder, const Writer& write) {
  const Path target = subfolder.empty() ? folder_ : folder_ / subfolder;
  try {
    const TemporaryFolder temporary(folder_);
    const std::vector<std::string> names = write(temporary.path());
    fs::create_directory(target);
    for (const std::string& name : names) fs::rename(temporary.path() / name, target / name);
  } catch (const fs::filesystem_error& e) {
    fail(target, e.code().message());
  }
}

}  // namespace loupe
