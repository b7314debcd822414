// `loupe features`: Zeiler and Fergus's figure for a whole network.
#include <algorithm>
#include <chrono>

#include "engine/file/file.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/command.h"
#include "tools/loupe/features/features.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Settings {
  SearchChoice search;
  std::string methods = "deconvnet,guided_backprop,gradient";
  void add_to(CLI::App& app);
};

void Settings::add_to(CLI::App& app) {
  argument(app, "FOLDER", search.folder, "Pictures, in all its folders", "What to look at");
  search.add_to(app);
  value_option(
      app, "--method", methods, "a,b",
      "Ways back: deconvnet, guided_backprop and gradient, from the one activation alone (all three)", "How");
  value_option(
      app, "--out", search.out, "DIR",
      "Folder for DIR/features.html, DIR/features/<layer>/<channel>.png, and the search's DIR/index.json and "
      "DIR/index.bin, which is used again",
      "Results");
}

void run(Settings& s) {
  std::vector<Way> ways = ways_named(s.methods);
  ProgressBar bar;
  Search search = prepare_search(s.search);
  run_search(search, bar);
  write_index(search.out, search.index);
  const Features features = draw_features(search, std::move(ways), search.out / "features", bar);
  const std::string page = features_page(search, features, "features");
  write_file(search.out / "features.html", {reinterpret_cast<const uint8_t*>(page.data()), page.size()});
  std::string text = words_of(search.index) + "\n";
  for (const Way& w : features.ways)
    text += "  " + padded(w.name, 16) + " " + short_seconds(w.seconds) + "\n";
  if (const auto whole = std::ranges::count(features.layers, false, &FilterLayer::on_windows))
    text += "  " + with_commas(whole) + (whole == 1 ? " layer" : " layers") + " through whole maps\n";
  print(text + "  " + padded("drawing", 16) + " " + short_seconds(features.encoding) + "\n  " +
        (search.out / "features.html").string() + "\n");
}

}  // namespace

extern const Command features_command;
const Command features_command{
    "features", "Shows every filter's strongest patches beside what the network run backwards makes of them",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->add_to(app);
      return [s] { run(*s); };
    }};

}  // namespace loupe
