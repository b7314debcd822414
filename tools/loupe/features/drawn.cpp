#include "tools/loupe/features/drawn.h"

#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "engine/run/recall.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/search/tiles.h"

namespace loupe {

namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

fs::path note(const fs::path& folder, const std::string& layer) {
  return folder / (file_name(layer) + ".json");
}

// All that a layer's strips hang on.
std::string note_of(const Search& s, size_t layer, std::span<const Way> ways) {
  const HitIndex hits{.settings = s.index.settings, .top = s.index.top, .layers = {s.index.layers[layer]}};
  Recall::Key key{};
  const std::vector<uint8_t> bytes = encode_index(hits);
  Recall::add(key, std::as_bytes(std::span(bytes)));
  json all{{"layer", hits.layers[0].layer}, {"top", hits.top}, {"tile", kTile}, {"methods", json::array()}};
  for (const Way& w : ways) all["methods"].push_back(w.name);
  all["hits"] = {key[0], key[1]};  // a digest
  return all.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

bool holds(const fs::path& file, const std::string& text) {
  std::error_code error;
  if (!fs::exists(file, error)) return false;
  try {
    const std::vector<uint8_t> bytes = read_file(file);
    return std::string(bytes.begin(), bytes.end()) == text;
  } catch (const Error&) {
    return false;
  }
}

// Half-written strips, and whole ones where they are of other things.
void clear(const fs::path& folder, bool all) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const size_t digits = name.find_first_not_of("0123456789");
    if (digits < 4 || digits == name.npos) continue;
    const std::string end = name.substr(digits);
    if (end.starts_with(".png.part") || (end == ".png" && all)) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

Drawn::Drawn(fs::path folder, const Search& search, std::span<const Way> ways) {
  make_folder(folder);
  for (size_t l = 0; l < search.index.layers.size(); ++l) {
    const std::string& name = search.index.layers[l].layer;
    const std::string text = note_of(search, l, ways);
    const Layer layer{folder / file_name(name), holds(note(folder, name), text)};
    make_folder(layer.folder);
    clear(layer.folder, !layer.goes_on);
    if (!layer.goes_on)
      write_file(note(folder, name), {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    layers_.push_back(layer);
  }
}

fs::path Drawn::file(size_t layer, size_t channel) const {
  return layers_[layer].folder / strip_name(channel);
}

std::optional<Image> Drawn::strip(size_t layer, size_t channel) const {
  std::error_code error;
  if (!layers_[layer].goes_on || !fs::exists(file(layer, channel), error)) return std::nullopt;
  try {
    return read_image(file(layer, channel));
  } catch (const Error&) {
    return std::nullopt;  // it is drawn again
  }
}

bool strips_are_there(const Search& s, size_t layer, std::span<const Way> ways, const fs::path& folder) {
  const LayerHits& hits = s.index.layers[layer];
  if (!holds(note(folder, hits.layer), note_of(s, layer, ways))) return false;
  std::error_code error;
  for (size_t c = 0; c < hits.channels.size(); ++c)
    if (!hits.channels[c].empty() && !fs::exists(folder / file_name(hits.layer) / strip_name(c), error))
      return false;
  return true;
}

}  // namespace loupe
