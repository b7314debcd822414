// OutputFolder: where results go. Files appear whole or not at all, a run that fails leaves nothing new behind, and
// results of two runs do not mix.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace loupe {

class OutputFolder {
 public:
  using Path = std::filesystem::path;
  struct File {
    std::string name;  // or a path below the folder
    std::function<void(const Path&)> write;
  };
  /// Whether something in the folder was left by an earlier run.
  using Ours = std::function<bool(const Path& entry)>;

  /// Tries to write in the folder; where it is missing, tries to make it, and takes it away again until there is
  /// something to publish. With `ours`, the folder is replaced whole: it must hold only what an earlier run left,
  /// which goes when the first new results come. Without, files of the same names are replaced and others stay.
  /// Throws Error naming what is in the way, or where another run has the folder.
  explicit OutputFolder(Path folder, Ours ours = {});
  /// Removes the folders that it made and that are still empty.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const Path& path() const { return folder_; }
  /// Writes the files under a temporary folder and moves them to `subfolder` ("" for the folder itself) when
  /// all are complete.
  void publish(const std::string& subfolder, const std::vector<File>& files);
  /// The same of files whose names are not known before: `write` writes into the folder that it is given, and
  /// returns the names.
  using Writer = std::function<std::vector<std::string>(const Path& temporary)>;
  void publish(const std::string& subfolder, const Writer& write);

 private:
  void make_folders(const Path& folder);
  void remove_made();
  void lock();
  void check_ours() const;
  void remove_earlier(const Path& temporary);

  Path folder_;
  Ours ours_;
  bool replaced_ = false;   // what an earlier run left is gone
  int lock_ = -1;           // the open folder
  std::vector<Path> made_;  // outermost first
};

}  // namespace loupe
