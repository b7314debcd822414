#include "tools/loupe/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>

#include "kernels/common/error.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemporary = ".loupe-";

// A folder that disappears with all that is in it, unless it was moved away.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& parent)
      : path_(parent / (kTemporary + std::to_string(::getpid()))) {
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

// What a run that was killed did not get to take away.
bool is_left_over(const fs::path& entry) {
  return entry.filename().string().starts_with(kTemporary) && fs::is_directory(entry);
}

[[noreturn]] void fail(const fs::path& folder, const std::string& why) {
  throw Error("cannot write to the output folder '" + folder.string() + "': " + why);
}

}  // namespace

OutputFolder::OutputFolder(Path folder, Ours ours) : folder_(std::move(folder)), ours_(std::move(ours)) {
  try {
    make_folders(folder_);
    lock();
    TemporaryFolder trial(folder_);
    if (ours_)
      check_ours();
    else if (fs::is_directory(folder_ / "report.html"))
      fail(folder_, "'report.html' is in the way: it is a folder");
  } catch (const fs::filesystem_error& e) {
    remove_made();
    fail(folder_, e.code().message());
  } catch (...) {
    remove_made();
    throw;
  }
  remove_made();
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
  if (!made_.empty() && lock_ >= 0) {  // of a folder that goes, or is not known to stay
    ::close(lock_);
    lock_ = -1;
  }
  while (!made_.empty() && fs::remove(made_.back(), not_empty)) made_.pop_back();
  made_.clear();
}

// Two runs into one folder would mix their results. A file system that has no locks gives none.
void OutputFolder::lock() {
  if (!ours_ || lock_ >= 0) return;
  lock_ = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    fail(folder_, "another run of Loupe is writing there");
}

void OutputFolder::check_ours() const {
  for (const auto& entry : fs::directory_iterator(folder_))
    if (!is_left_over(entry.path()) && !ours_(entry.path()))
      fail(folder_,
           "it holds '" + entry.path().filename().string() +
               "', which is not a result of Loupe's that could be replaced; name a new or an empty folder");
}

// Out of the way first, then gone: whoever looks sees the old results or none.
void OutputFolder::remove_earlier(const Path& temporary) {
  if (!ours_ || replaced_) return;
  check_ours();
  const Path old = temporary / ".earlier";
  fs::create_directory(old);
  std::vector<Path> entries;
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path() != temporary) entries.push_back(entry.path());
  for (const Path& entry : entries) fs::rename(entry, old / entry.filename());
  replaced_ = true;
  fs::remove_all(old);
}

void OutputFolder::publish(const std::string& subfolder, const std::vector<File>& files) {
  publish(subfolder, [&](const Path& temporary) {
    std::vector<std::string> names;
    for (const File& f : files) {
      const Path path = temporary / f.name;
      fs::create_directories(path.parent_path());
      f.write(path);
      const std::string first = Path(f.name).begin()->string();  // the file, or the folder that holds it
      if (std::ranges::count(names, first) == 0) names.push_back(first);
    }
    return names;
  });
}

void OutputFolder::publish(const std::string& subfolder, const Writer& write) {
  const Path target = subfolder.empty() ? folder_ : folder_ / subfolder;
  try {
    make_folders(folder_);
    lock();
    const TemporaryFolder temporary(folder_);
    const std::vector<std::string> names = write(temporary.path());
    remove_earlier(temporary.path());
    if (!fs::exists(target)) {  // all at once
      fs::rename(temporary.path(), target);
      return;
    }
    for (const std::string& name : names) fs::rename(temporary.path() / name, target / name);
  } catch (const fs::filesystem_error& e) {
    fail(target, e.code().message());
  }
}

}  // namespace loupe
