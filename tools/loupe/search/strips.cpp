// The lecture's "top images" of each filter: its crops beside each other.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include "engine/file/file.h"
#include "kernels/common/parallel.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/search/search.h"
#include "tools/loupe/search/tiles.h"
#include "tools/loupe/text.h"

namespace loupe {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kGroupBytes = 128 << 20;  // of tiles in memory at once

struct Strip {
  fs::path path;
  std::vector<const Hit*> hits;
  std::vector<Image> tiles;
};

// All strips of a group, each picture read once.
void draw_group(const Search& s, std::vector<Strip>& group) {
  std::map<std::string, std::vector<std::pair<Strip*, size_t>>> wanted;
  for (Strip& strip : group) {
    strip.tiles.resize(strip.hits.size());
    for (size_t i = 0; i < strip.hits.size(); ++i) wanted[strip.hits[i]->image].emplace_back(&strip, i);
  }
  std::vector<const std::pair<const std::string, std::vector<std::pair<Strip*, size_t>>>*> pictures;
  for (const auto& entry : wanted) pictures.push_back(&entry);
  std::vector<std::string> failures(pictures.size());
  parallel_for(std::ssize(pictures), [&](int64_t i) {
    const auto& [name, places] = *pictures[static_cast<size_t>(i)];
    try {
      const Image picture = to_image(s.read(name), s.network.preprocessing);
      for (const auto& [strip, k] : places)
        strip->tiles[k] = fitted(cut(picture, strip->hits[k]->crop), kTile);
    } catch (const std::exception& e) {
      failures[static_cast<size_t>(i)] = e.what();
    }
  });
  for (const std::string& why : failures)
    if (!why.empty()) throw Error(why);
  std::vector<std::vector<uint8_t>> pngs(group.size());
  parallel_for(std::ssize(group), [&](int64_t i) {
    const Strip& strip = group[static_cast<size_t>(i)];
    pngs[static_cast<size_t>(i)] = encode_png(tiled(strip.tiles, std::ssize(strip.tiles), kTile));
  });
  for (size_t i = 0; i < group.size(); ++i) write_file(group[i].path, pngs[i]);
}

}  // namespace

std::string strip_name(size_t channel) {
  char number[32];
  std::snprintf(number, sizeof number, "%04zu.png", channel);
  return number;
}

void write_strips(const Search& s, const fs::path& folder, int64_t count, ProgressBar& bar) {
  const int64_t tile_bytes = kTile * kTile * 3 * 2;
  const auto most = static_cast<size_t>(std::max<int64_t>(1, kGroupBytes / (tile_bytes * count)));
  std::vector<Strip> group;
  size_t done = 0, all = 0;
  for (const LayerHits& l : s.index.layers) all += l.channels.size();
  bar.begin("drawing strips");
  const auto flush = [&] {
    draw_group(s, group);
    done += group.size();
    group.clear();
    bar.update(static_cast<double>(done) / static_cast<double>(all));
  };
  for (const LayerHits& l : s.index.layers) {
    const fs::path of_layer = folder / file_name(l.layer);
    make_folder(of_layer);
    for (size_t c = 0; c < l.channels.size(); ++c) {
      Strip strip{of_layer / strip_name(c), {}, {}};
      for (const Hit& h : l.channels[c])
        if (std::ssize(strip.hits) < count) strip.hits.push_back(&h);
      if (!strip.hits.empty()) group.push_back(std::move(strip));
      if (group.size() == most) flush();
    }
  }
  flush();
  bar.clear();
}

}  // namespace loupe
