// The options of a search, checked; and whether an earlier run has begun it.
#include <algorithm>
#include <filesystem>

#include "engine/neurons/search.h"
#include "kernels/common/parallel.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/identity.h"
#include "tools/loupe/search/search.h"
#include "tools/loupe/text.h"

namespace loupe {

namespace fs = std::filesystem;

void SearchChoice::add_to(CLI::App& app) {
  const std::string what = "What to look at", how = "How", results = "Results";
  model.add_to(app, what);
  weights.add_to(app, "safetensors file, or torch.save's, with torchvision's names (the zoo's are built in)",
                 what);
  value_option(
      app, "--layers", layers, "a,b",
      "Layers with maps, by name; or `all`: every convolution, behind its batch norm and function (all)",
      what);
  value_option(app, "--zoo", zoo, "N", "Also N drawn pictures, which are on no disk", what);
  value_option(app, "--seed", seed, "S", seed_help, what);
  value_option(app, "--shard", shard, "I/N", "Only every N-th picture, beginning with the I-th; see --merge",
               what);
  preprocessing.add_to(app, "How photographs are prepared");
  value_option(app, "--top", top, "K", "Pictures that are kept for each channel (9)", how);
  value_option(app, "--checkpoint", checkpoint, "S",
               "Seconds after which what was found is written, to go on from after a kill (5)", how);
  device.add_to(app, how);
  value_option(app, "--memory", memory, "BYTES",
               "Limit for activations, such as 512M; results do not depend on it", how);
  value_option(app, "--threads", threads, "N", "Threads; results do not depend on it", how);
}

namespace {

HitIndex::Part parse_shard(const std::string& text) {
  if (text.empty()) return {};
  const size_t slash = text.find('/');
  if (slash == text.npos) throw UsageError("--shard takes I/N, such as 3/16, not '" + text + "'");
  const int64_t shards = parse_whole("--shard I/N: N", text.substr(slash + 1), 1, 1'000'000);
  return {0, parse_whole("--shard I/N: I", text.substr(0, slash), 1, shards), shards};
}

ImageModel load(const SearchChoice& c) {
  const auto size = c.preprocessing.input_size();
  Model model = c.model.build(size ? size->first : 0, size ? size->second : 0, c.weights.file);
  model.preprocessing = c.preprocessing.applied(model.preprocessing);
  ImageModel network = load_and_say(c.model.model, std::move(model), c.weights, c.device.open(), c.device);
  if (!c.memory.empty()) network.network.memory_limit = parse_bytes("--memory", c.memory);
  return network;
}

// What a run that was killed did not get to take away.
void remove_left_over(const fs::path& out) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(out, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("index.bin.part") || name.starts_with("index.json.part"))
      fs::remove(entry.path(), ignored);
  }
}

// Whether `had`, which lies in the folder, is of the same search; an unfinished one of another search is not lost.
bool goes_on(const HitIndex& had, const HitIndex& wanted, const fs::path& out) {
  std::string other;
  for (size_t i = 0; i < wanted.settings.size() && other.empty(); ++i)
    if (i >= had.settings.size() || had.settings[i] != wanted.settings[i]) other = wanted.settings[i].first;
  const auto name = [](const LayerHits& l) { return l.layer; };
  if (other.empty() && had.top != wanted.top) other = "--top";
  if (other.empty() && !std::ranges::equal(had.layers, wanted.layers, {}, name, name)) other = "layers";
  if (other.empty() && had.parts != wanted.parts) other = "pictures";
  if (other.empty()) return true;
  if (had.finished()) return false;
  throw UsageError("'" + out.string() + "' holds a search that is not finished, of other " + other +
                   ": name another folder, or remove it");
}

}  // namespace

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder))
    throw Error("cannot make the folder '" + folder.string() +
                "': " + (error ? error.message() : "a file of that name is in the way"));
}

Search prepare_search(const SearchChoice& c) {
  if (c.out.empty()) throw UsageError("--out is missing: the folder for what is found");
  const int64_t top = parse_whole("--top", c.top, 1, 1000);
  const int64_t drawn = c.zoo.empty() ? 0 : parse_whole("--zoo", c.zoo, 1, 1'000'000'000);
  const auto seed = static_cast<uint64_t>(parse_whole("--seed", c.seed, 0, INT64_MAX));
  if (c.folder.empty() && drawn == 0) throw UsageError("name a folder of pictures, or --zoo N");
  const double checkpoint = parse_real("--checkpoint", c.checkpoint, 0, 1e6);
  HitIndex::Part part = parse_shard(c.shard);
  c.preprocessing.check();
  c.model.check_name();
  c.weights.check(c.model.model);
  if (!c.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", c.threads, 1, 1024)));
  PictureList pictures(c.folder, drawn, seed, c.out);
  ImageModel network = load(c);
  const Graph& graph = network.graph();
  std::vector<NodeId> layers =
      c.layers == "all" ? filter_layers(graph)
                        : layers_with_places(graph, split_commas(c.layers), graph.input_shapes().at(0));
  if (layers.empty()) throw UsageError(network.name() + " has no layers with places to search");
  part.source = pictures.digest();
  HitIndex index{
      .settings = identity_of(network, c.preprocessing.orientation()),
      .top = top,
      .parts = {part},
      .total = pictures.size() >= part.shard ? (pictures.size() - part.shard) / part.shards + 1 : 0};
  index.layers = UnitSearch(network, layers, top).found();
  make_folder(c.out);
  remove_left_over(c.out);
  if (const fs::path file = fs::path(c.out) / "index.bin"; fs::exists(file))
    if (HitIndex had = read_index(file); goes_on(had, index, c.out)) index = std::move(had);
  return {std::move(network), std::move(pictures), c.preprocessing.orientation(),
          std::move(layers),  std::move(index),    c.out,
          checkpoint};
}

}  // namespace loupe
