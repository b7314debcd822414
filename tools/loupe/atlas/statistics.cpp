// The pass over the pictures for statistics, which goes on where it was.
#include <algorithm>
#include <chrono>
#include <set>

#include "models/io/safetensors.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/atlas/atlas.h"
#include "tools/loupe/command.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

constexpr const char* kFile = "statistics.safetensors";

// The pictures' own classes where all that could be read say theirs, else the network's.
AtlasClasses classes_of(Search& s) {
  std::set<std::string> skipped, labels;
  for (const HitIndex::Skipped& k : s.index.skipped) skipped.insert(k.image);
  bool all = true;
  for (int64_t i = 0; i < s.pictures.size() && all; ++i) {
    const std::string name = s.pictures.name(i), label = s.pictures.label(name);
    if (skipped.contains(name)) continue;
    all = !label.empty();
    labels.insert(label);
  }
  if (all && labels.size() > 1) {
    const bool drawn = s.pictures.drawn() == s.pictures.size();
    return {drawn ? "zoo" : "folders", {labels.begin(), labels.end()}};
  }
  const Graph& graph = s.network.graph();
  if (graph.node(graph.output()).shape().rank() != 2) return {"none"};
  AtlasClasses own{"network"};
  for (int64_t c = 0; c < s.network.classes(); ++c) own.names.push_back(s.network.label(c));
  return own;
}

class Job {
 public:
  Job(Search& s, const AtlasClasses& classes)
      : search_(s), classes_(classes), statistics_(s.network, s.layers, std::ssize(classes.names)) {
    json key{{"search", s.index.settings}, {"pictures", json::array()}, {"classes", classes.of}};
    for (const HitIndex::Part& p : s.index.parts) key["pictures"].push_back(p.source);
    for (const NodeId n : s.layers) key["layers"].push_back(s.network.graph().node(n).name);
    key["names"] = classes.names;
    settings_ = key.dump(-1, ' ', false, json::error_handler_t::replace);
  }

  std::vector<std::vector<ChannelStatistics>> run(ProgressBar& bar) {
    restore();
    const OnInterrupt watch;
    auto saved = std::chrono::steady_clock::now();
    bar.begin("statistics");
    const int64_t total = search_.pictures.size();
    const bool fresh = next_ < total;
    while (next_ < total) {
      const int64_t end = std::min(total, next_ + kStretch);
      in_stacks(read_stretch(search_, next_, end),
                [&](const Tensor& x, std::span<const std::string> names) { add(x, names); });
      next_ = end;
      bar.update(static_cast<double>(end) / static_cast<double>(total));
      const bool stop = OnInterrupt::came();
      if (stop || std::chrono::duration<double>(std::chrono::steady_clock::now() - saved).count() >=
                      search_.checkpoint) {
        save();
        saved = std::chrono::steady_clock::now();
      }
      if (stop) {
        bar.clear();
        throw Interrupted("stopped after the statistics of " + with_commas(end) + " of " +
                          with_commas(total) + " pictures; the same command goes on from there");
      }
    }
    bar.clear();
    if (fresh) save();
    return statistics_.found();
  }

 private:
  void add(const Tensor& x, std::span<const std::string> names) {
    std::vector<int64_t> of;
    if (classes_.of != "network")
      for (const std::string& name : names) {
        const auto at = std::ranges::lower_bound(classes_.names, search_.pictures.label(name));
        of.push_back(at == classes_.names.end() ? -1 : at - classes_.names.begin());
      }
    statistics_.add(x, of);
  }

  std::string file() const { return (search_.out / kFile).string(); }

  void save() const {
    const UnitStatistics::State s = statistics_.state();
    NamedTensors all{{"channels", s.channels}, {"counts", s.counts}};
    if (s.means.numel() > 0) all.emplace_back("means", s.means);
    write_safetensors(file(), all, {{"settings", settings_}, {"next", std::to_string(next_)}});
  }

  void restore() {
    std::error_code error;
    if (!fs::exists(file(), error)) return;
    const SafetensorsFile from = SafetensorsFile::open(file());
    const auto& said = from.metadata();
    if (!said.contains("settings") || said.at("settings") != settings_ || !said.contains("next")) return;
    next_ = parse_whole("pictures of " + file(), said.at("next"), 0, search_.pictures.size());
    const Tensor means = from.contains("means") ? from.tensor("means") : statistics_.state().means;
    statistics_.restore({from.tensor("channels"), means, from.tensor("counts")});
  }

  Search& search_;
  const AtlasClasses& classes_;
  UnitStatistics statistics_;
  std::string settings_;
  int64_t next_ = 0;
};

}  // namespace

void take_statistics(Atlas& atlas, ProgressBar& bar) {
  atlas.classes = classes_of(atlas.search);
  atlas.statistics = Job(atlas.search, atlas.classes).run(bar);
}

}  // namespace loupe
