// `loupe atlas`: what search, features and visualize make for a network, in one folder with numbers beside it.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/neurons/statistics.h"
#include "tools/loupe/features/features.h"
#include "tools/loupe/visualize/publish.h"

namespace loupe {

/// The classes that channels are compared with.
struct AtlasClasses {
  std::string of;  // "folders", "zoo", or "network": those that it gives the pictures; or "none"
  std::vector<std::string> names = {};  // one a class
};

struct Atlas {
  Search search;
  AtlasClasses classes = {};
  std::vector<std::vector<ChannelStatistics>> statistics = {};  // by layer and channel
  std::vector<Way> ways = {};
  std::vector<bool> strips = {};                     // whether each layer's are there
  Visualization ascent = {};                         // its settings
  std::vector<nlohmann::ordered_json> ascents = {};  // of each layer the record, or null
};

inline constexpr const char *kAtlasRecord = "atlas.json", *kAtlasPage = "atlas.html", *kStrips = "features",
                            *kAscents = "ascent";

/// Where the ascents of a layer lie: out/ascent/<layer>.
std::filesystem::path ascent_folder(const Atlas& atlas, size_t layer);
/// Fills in classes and statistics, of a search that has come to its end: one more pass over the pictures, whose state
/// is in out/statistics.safetensors. It is not repeated where that is of the same search. Throws Interrupted.
void take_statistics(Atlas& atlas, ProgressBar& bar);

/// All that is known, for programs; README.md says what it holds.
nlohmann::ordered_json atlas_record(const Atlas& atlas);
/// A page that browses it, beside the folder's pictures.
std::string atlas_page(const nlohmann::ordered_json& record);
/// Writes atlas.json and atlas.html.
void write_atlas(const Atlas& atlas);

}  // namespace loupe
