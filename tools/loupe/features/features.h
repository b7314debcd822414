// `loupe features`: the top patches of every filter beside what the network run backwards makes of them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "engine/neurons/ways_back.h"
#include "engine/plan/rule.h"
#include "tools/loupe/search/search.h"

namespace loupe {

/// A way back.
struct Way {
  std::string name;  // the method's
  Rule rule;
  double seconds = 0;  // that the ways back took
};
/// Of names "deconvnet", "guided_backprop" and "gradient". Throws UsageError, with near names.
std::vector<Way> ways_named(const std::string& list);

/// A reconstruction as a patch of rows [crop[0], crop[2]) and columns [crop[1], crop[3]): colours around mid-grey, the
/// strongest but a few at the ends; what was not reached is grey.
Image reconstruction_picture(const Reconstruction&, const std::array<int32_t, 4>& crop);

struct FilterLayer {
  std::string name;
  bool on_windows = true;                 // the ways back ran on windows; else through whole maps
  std::vector<std::string> sprites = {};  // a JPEG each filter: a row of patches, then a row each way
};

/// What is drawn for a search. Strips are written as they are done: folder/<layer>/<channel>.png; folder/<layer>.json
/// says of what they are. Those that are there are not drawn again (drawn.h).
struct Features {
  std::vector<Way> ways;
  std::vector<FilterLayer> layers = {};
  double encoding = 0;  // seconds that pictures and files took
};
/// `again`: sprites also of those layers whose strips are all there.
Features draw_features(Search& search, std::vector<Way> ways, const std::filesystem::path& folder,
                       ProgressBar& bar, bool again = true);
/// features.html, which needs nothing but itself; `strips`: where the strips lie, seen from it.
std::string features_page(const Search& search, const Features& features, const std::string& strips);

}  // namespace loupe
