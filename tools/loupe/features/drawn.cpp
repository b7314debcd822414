#include "tools/loupe/features/drawn.h"

#include <cstdio>

#include "engine/file/file.h"
#include "kernels/common/draws.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/search/tiles.h"

namespace loupe {

namespace {

namespace fs = std::filesystem;

// Of all that a strip depends on. A new way of drawing needs a new number in front.
std::string digest_of(const Search& search, std::span<const Way> ways) {
  const std::vector<uint8_t> index = encode_index(search.index);
  std::string all = "1 " + std::to_string(kTile) + " " + std::to_string(kGap);
  for (const Way& w : ways) all += " " + w.name;
  all.append(reinterpret_cast<const char*>(index.data()), index.size());
  char text[20];
  std::snprintf(text, sizeof text, "%016llx\n", static_cast<unsigned long long>(fnv1a64(all)));
  return text;
}

bool holds(const fs::path& file, const std::string& text) {
  try {
    const std::vector<uint8_t> bytes = read_file(file);
    return std::string(bytes.begin(), bytes.end()) == text;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

Drawn::Drawn(fs::path folder, const Search& search, std::span<const Way> ways) : folder_(std::move(folder)) {
  make_folder(folder_);
  const std::string digest = digest_of(search, ways);
  goes_on_ = holds(folder_ / "drawn", digest);
  for (const LayerHits& l : search.index.layers) {
    const fs::path& of_layer = layers_.emplace_back(folder_ / file_name(l.layer));
    make_folder(of_layer);
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(of_layer, ignored)) {
      const std::string name = entry.path().filename().string();
      const size_t digits = name.find_first_not_of("0123456789");
      if (digits < 4 || digits == name.npos) continue;
      const std::string end = name.substr(digits);
      if (end.starts_with(".png.part") || (end == ".png" && !goes_on_)) fs::remove(entry.path(), ignored);
    }
  }
  if (!goes_on_)
    write_file(folder_ / "drawn", {reinterpret_cast<const uint8_t*>(digest.data()), digest.size()});
}

fs::path Drawn::file(size_t layer, size_t channel) const {
  char number[32];
  std::snprintf(number, sizeof number, "%04zu.png", channel);
  return layers_[layer] / number;
}

std::optional<Image> Drawn::strip(size_t layer, size_t channel) const {
  std::error_code error;
  if (!goes_on_ || !fs::exists(file(layer, channel), error)) return std::nullopt;
  try {
    return read_image(file(layer, channel));
  } catch (const Error&) {
    return std::nullopt;  // it is drawn again
  }
}

}  // namespace loupe
