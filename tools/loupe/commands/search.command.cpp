// `loupe search`: the pictures that excite every channel most.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "tools/loupe/arguments.h"
#include "tools/loupe/command.h"
#include "tools/loupe/print.h"
#include "tools/loupe/search/search.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

struct Settings {
  SearchChoice search;
  std::vector<std::string> folders;
  std::string strips = "5";
  bool merge = false;
  void add_to(CLI::App& app);
};

void Settings::add_to(CLI::App& app) {
  argument(app, "FOLDER", folders,
           "Pictures, in all its folders; with --merge the folders of searches, or their files",
           "What to look at");
  search.add_to(app);
  flag_option(app, "--merge", merge,
              "Puts searches of shards, or of several folders, together: one run's result",
              "What to look at");
  value_option(app, "--out", search.out, "DIR",
               "Folder for DIR/index.json, DIR/index.bin and DIR/strips; a run that was killed goes on there",
               "Results");
  value_option(
      app, "--strips", strips, "N",
      "How many crops the strip of each channel shows, DIR/strips/<layer>/<channel>.png; 0: no strips (5)",
      "Results");
}

void say_skipped(const HitIndex& index) {
  constexpr size_t kShown = 10;
  for (size_t i = 0; i < std::min(kShown, index.skipped.size()); ++i)
    std::fprintf(stderr, "loupe: skipped '%s': %s\n", one_line(index.skipped[i].image).c_str(),
                 index.skipped[i].why.c_str());
  if (index.skipped.size() > kShown)
    std::fprintf(stderr, "loupe: and %s more, named in index.json\n",
                 with_commas(static_cast<int64_t>(index.skipped.size() - kShown)).c_str());
}

void merge_all(const Settings& s) {
  if (s.search.out.empty()) throw UsageError("--out is missing: the folder for what is found");
  if (s.folders.size() < 2) throw UsageError("--merge takes the folders of two searches or more");
  const auto file = [](const std::string& name) {
    return fs::is_directory(name) ? fs::path(name) / "index.bin" : fs::path(name);
  };
  HitIndex all = read_index(file(s.folders[0]));
  for (size_t i = 1; i < s.folders.size(); ++i)
    all = merge(all, read_index(file(s.folders[i])), s.folders[i - 1], s.folders[i]);
  write_index(s.search.out, all);
  print(words_of(all) + "\n  " + (fs::path(s.search.out) / "index.json").string() + "\n");
  for (const HitIndex::Part& p : all.parts)
    if (p.shards > 1) {
      print("shards are missing: there are " + std::to_string(all.parts.size()) + " of " +
            std::to_string(p.shards) + "\n");
      break;
    }
}

void run(Settings& s) {
  if (s.merge) return merge_all(s);
  if (s.folders.size() > 1)
    throw UsageError("search takes one folder, not " + std::to_string(s.folders.size()));
  if (!s.folders.empty()) s.search.folder = s.folders[0];
  const int64_t strips = parse_whole("--strips", s.strips, 0, 100);
  ProgressBar bar;
  Search search = prepare_search(s.search);
  run_search(search, bar);
  write_index(search.out, search.index);
  if (strips > 0) write_strips(search, search.out / "strips", strips, bar);
  say_skipped(search.index);
  print(words_of(search.index) + "\n  " + (search.out / "index.json").string() + "\n" +
        (strips > 0 ? "  " + (search.out / "strips").string() + "\n" : ""));
}

}  // namespace

extern const Command search_command;
const Command search_command{"search", "Finds the pictures of a folder that excite every channel most",
                             [](CLI::App& app) {
                               const auto s = std::make_shared<Settings>();
                               s->add_to(app);
                               return [s] { run(*s); };
                             }};

}  // namespace loupe
