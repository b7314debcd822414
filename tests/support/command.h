// Runs the `loupe` that was just built, and catches what it says.
#pragma once
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/run/method.h"
#include "tests/support/pictures.h"

namespace loupe::test {

namespace fs = std::filesystem;

/// A TemporaryFolder whose files are named by strings.
class Folder : public TemporaryFolder {
 public:
  std::string operator/(const std::string& name) const { return (path() / name).string(); }
};

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file, "cannot read ", path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_text(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// What a run of the command said.
struct Said {
  int status;  // of exit; -1 where a signal ended it
  std::string out, err;
};

inline std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

/// `before` comes in front of the program: settings of the environment.
inline Said loupe(const std::vector<std::string>& words, const std::string& before = "") {
  const Folder folder;
  std::string line = before + " " + quoted(LOUPE_BINARY_DIR "/bin/loupe");
  for (const std::string& w : words) line += " " + quoted(w);
  const int status =
      std::system((line + " >" + quoted(folder / "out") + " 2>" + quoted(folder / "err")).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_text(folder / "out"), read_text(folder / "err")};
}

/// Options that make every method quick: `--method all` takes thousands of passes by the defaults.
inline std::vector<std::string> quick_methods() {
  std::vector<std::string> words{"--occlusion.window", "16", "--occlusion.stride", "16"};
  for (const Method* m : all_methods())
    for (const OptionSpec& o : m->options)
      if (o.name == "samples" || o.name == "steps")
        words.insert(words.end(), {"--" + std::string(m->name) + "." + std::string(o.name), "2"});
  return words;
}

}  // namespace loupe::test
