// `loupe embed`: a map of vectors, or of pictures in a layer of a network, and its page.
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "engine/tensor/npy.h"
#include "kernels/common/parallel.h"
#include "kernels/common/suggest.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/command.h"
#include "tools/loupe/embed/embed.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

struct Settings {
  PointsChoice points;
  std::string map = "tsne", perplexity = "30", steps = "1000", rate, init = "pca", seed = "1";
  std::string metric = "euclidean", neighbours = "10", clusters, memory = "4G", threads, out;
  std::vector<std::string> near, analogies;
  bool json = false;
  void add_to(CLI::App& app);
  MapChoice checked() const;
};

void Settings::add_to(CLI::App& app) {
  const std::string how = "The map", results = "Results";
  points.add_to(app);
  value_option(
      app, "--map", map, "tsne|pca",
      "t-SNE, exact: every pair of points counts in every step; or the first two principal components (tsne)",
      how);
  value_option(app, "--perplexity", perplexity, "P",
               "Of t-SNE: how many neighbours a point has, roughly (30)", how);
  value_option(app, "--steps", steps, "N", "Of t-SNE (1000)", how);
  value_option(app, "--rate", rate, "R", "Of t-SNE, the learning rate (points / 48, and 50 or more)", how);
  value_option(app, "--init", init, "pca|random", "Where t-SNE begins (pca)", how);
  value_option(app, "--seed", seed, "S",
               "Of --init random and --clusters; the same seed gives the same bytes (1)", how);
  value_option(app, "--metric", metric, "M",
               "euclidean or cosine: what is near, on the map and in the lists of neighbours (euclidean)",
               how);
  value_option(app, "--neighbours", neighbours, "K",
               "Exact nearest neighbours of each point that the page shows and quality is measured by (10)",
               how);
  value_option(app, "--clusters", clusters, "K", "Also K clusters, by k-means, to colour points by", how);
  value_option(app, "--memory", memory, "BYTES",
               "The most that t-SNE may keep of affinities, 2 N² bytes (4G)", how);
  value_option(app, "--threads", threads, "N", "Threads; results do not depend on it", how);
  value_option(app, "--out", out, "DIR",
               "Folder for embedding.html, embed.json, vectors.npy and map.npy, all of them or none",
               results);
  repeated_option(app, "--near", near, "WORD",
                  "Print the nearest neighbours of a word, or of a point's number", results);
  repeated_option(app, "--analogy", analogies, "A,B,C", "Print what is nearest to A - B + C by cosine",
                  results);
  flag_option(app, "--json", json, "Print everything for programs, and nothing else", results);
}

std::string one_of(const std::string& option, const std::string& value,
                   const std::vector<std::string>& known) {
  for (const std::string& k : known)
    if (k == value) return k;
  throw UsageError(option + " takes " + join(known, " or ") + ", not '" + one_line(value) + "'" +
                   did_you_mean(value, known));
}

MapChoice Settings::checked() const {
  MapChoice c;
  c.by_tsne = one_of("--map", map, {"tsne", "pca"}) == "tsne";
  c.seed = static_cast<uint64_t>(parse_whole("--seed", seed, 0, INT64_MAX));
  c.tsne = {.perplexity = parse_real("--perplexity", perplexity, 1, 1e6),
            .steps = parse_whole("--steps", steps, 1, 1'000'000),
            .rate = rate.empty() ? 0 : parse_real("--rate", rate, 1e-6, 1e9),
            .from_noise = one_of("--init", init, {"pca", "random"}) == "random",
            .seed = c.seed};
  c.metric = parse_metric(metric);
  c.neighbours = parse_whole("--neighbours", neighbours, 1, 100);
  c.clusters = clusters.empty() ? 0 : parse_whole("--clusters", clusters, 1, 10'000);
  c.memory = parse_bytes("--memory", memory);
  return c;
}

nlohmann::ordered_json json_of(const NearTable& table) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const auto& [word, value] : table.rows) rows.push_back({{"word", word}, {table.measure, value}});
  return {{"asked", table.asked}, {"nearest", std::move(rows)}};
}

void publish(OutputFolder& out, const Embedding& e, const nlohmann::ordered_json& record) {
  out.publish("", {{"vectors.npy", [&](const fs::path& p) { write_text(p, encode_npy(e.points.vectors)); }},
                   {"map.npy", [&](const fs::path& p) { write_text(p, encode_npy(e.map)); }},
                   {"embed.json", [&](const fs::path& p) { write_text(p, record.dump(2) + "\n"); }},
                   {"embedding.html", [&](const fs::path& p) { write_text(p, embedding_page(e)); }}});
}

void run(Settings& s) {
  MapChoice how = s.checked();
  if (s.out.empty() && s.near.empty() && s.analogies.empty())
    throw UsageError("--out is missing: the folder for the map; or ask for --near WORD or --analogy A,B,C");
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  const OnInterrupt interrupt;
  ProgressBar bar;
  std::string doing;
  const Watch watch = [&](const std::string& what, double part) {
    if (OnInterrupt::came()) {
      bar.clear();
      throw Interrupted("stopped; nothing was written");
    }
    if (what != doing) bar.begin(doing = what);
    bar.update(part);
  };
  s.points.except = s.out;
  std::optional<OutputFolder> out;
  if (!s.out.empty()) out.emplace(s.out);
  Points points = read_points(s.points, watch);
  if (out) check_map(points, how);
  std::vector<NearTable> tables;
  for (const std::string& word : s.near) tables.push_back(near_table(points, word, how));
  for (const std::string& three : s.analogies) tables.push_back(analogy_table(points, three, how.neighbours));
  nlohmann::ordered_json record;
  std::string text;
  if (out) {
    const Embedding made = embed(std::move(points), how, watch);
    record = embedding_record(made);
    publish(*out, made, record);
    text = embedding_summary(made) + "  " + (fs::path(s.out) / "embedding.html").string() + "\n";
  }
  bar.clear();
  for (const NearTable& table : tables) {
    record["tables"].push_back(json_of(table));
    text += near_text(table);
  }
  s.json ? print_json(record) : print(text);
}

}  // namespace

extern const Command embed_command;
const Command embed_command{"embed",
                            "A map of vectors, or of pictures in a layer: exact t-SNE or PCA, with a page",
                            [](CLI::App& app) {
                              const auto s = std::make_shared<Settings>();
                              s->add_to(app);
                              return [s] { run(*s); };
                            }};

}  // namespace loupe
