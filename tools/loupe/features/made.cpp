#include "tools/loupe/features/made.h"

#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "engine/run/recall.h"
#include "tools/loupe/file_name.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

fs::path note(const fs::path& folder, const std::string& layer) {
  return folder / (file_name(layer) + ".json");
}

// All that strips hang on.
std::string note_of(const Search& s, size_t layer, const std::vector<Way>& ways) {
  const HitIndex hits{.settings = s.index.settings, .top = s.index.top, .layers = {s.index.layers[layer]}};
  Recall::Key key{};
  const std::vector<uint8_t> bytes = encode_index(hits);
  Recall::add(key, std::as_bytes(std::span(bytes)));
  json all{{"layer", hits.layers[0].layer}, {"top", hits.top}, {"methods", json::array()}};
  for (const Way& w : ways) all["methods"].push_back(w.name);
  all["hits"] = {key[0], key[1]};  // a digest
  return all.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

void forget_strips(const fs::path& folder, const std::string& layer) {
  std::error_code ignored;
  fs::remove(note(folder, layer), ignored);
}

void note_strips(const Search& s, size_t layer, const std::vector<Way>& ways, const fs::path& folder) {
  const std::string text = note_of(s, layer, ways);
  write_file(note(folder, s.index.layers[layer].layer),
             {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

bool strips_are_there(const Search& s, size_t layer, const std::vector<Way>& ways, const fs::path& folder) {
  const LayerHits& hits = s.index.layers[layer];
  std::error_code error;
  if (!fs::exists(note(folder, hits.layer), error)) return false;
  const std::vector<uint8_t> bytes = read_file(note(folder, hits.layer));
  if (std::string(bytes.begin(), bytes.end()) != note_of(s, layer, ways)) return false;
  for (size_t c = 0; c < hits.channels.size(); ++c)
    if (!hits.channels[c].empty() && !fs::exists(folder / file_name(hits.layer) / strip_name(c), error))
      return false;
  return true;
}

}  // namespace loupe
