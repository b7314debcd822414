// OutputFolder: where results go. Files appear whole or not at all, and a run that fails leaves nothing new
// behind.
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
    std::string name;
    std::function<void(const Path&)> write;
  };

  /// Makes the folder where it is missing, and tries to write in it. `subfolders` will hold results. Throws
  /// Error naming what is in the way.
  OutputFolder(Path folder, const std::vector<std::string>& subfolders);
  /// Removes the folders that it made and that are still empty.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const Path& path() const { return folder_; }
  /// Writes the files under a temporary folder and moves them to `subfolder` ("" for the folder itself) when
  /// all are complete. Files of the same names are replaced; others stay.
  void publish(const std::string& subfolder, const std::vector<File>& files);
  /// The same of files whose names are not known before: `write` writes into the folder that it is given, and
  /// returns the names.
  using Writer = std::function<std::vector<std::string>(const Path& temporary)>;
  void publish(const std::string& subfolder, const Writer& write);

 private:
  void make_folders(const Path& folder);
  void remove_made();

  Path folder_;
  std::vector<Path> made_;  // outermost first
};

}  // namespace loupe
