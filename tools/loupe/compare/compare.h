// What the page of `loupe compare` shows.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/image/plane.h"
#include "tools/loupe/explain/explained.h"
#include "tools/loupe/method_options.h"

namespace loupe {

/// A network asked about one thing: a column.
struct Side {
  std::string network, weights;
  Shape input = {};                 // (1, 3, H, W)
  std::vector<uint8_t> photo = {};  // PNG of what the network saw
  std::vector<Verdict> top = {};    // its five likeliest classes
  Answer answer = {};               // with the methods that suit it
  std::vector<Skipped> skipped = {};
  /// By method and map, what a figure shows at every pixel.
  std::vector<std::vector<Plane>> planes = {};
};

/// Rank correlation (Spearman's ρ) of what two maps show, pixel by pixel: 1 where both order the pixels alike, 0 where
/// they have nothing in common, −1 where one is the other upside down. None where sizes differ or a map is constant.
/// Ties share the mean of their ranks.
std::optional<double> rank_correlation(const Plane& a, const Plane& b);

/// One activation, a 4×4 map behind a ReLU, and what each rule makes of a signal that comes down to it: computed by the
/// rules that the methods use, on a network of one ReLU. `activation` and `from_above`, (4, 4), in the place of the
/// numbers that show every case.
struct RuleTable {
  Tensor before, after, signal;        // x, max(x, 0), and the signal from above; (4, 4)
  Tensor gradient, deconvnet, guided;  // what goes on down
};
RuleTable rule_table(Device device, const Tensor& activation = {}, const Tensor& from_above = {});

struct Comparison {
  std::string image;
  std::vector<const Method*> methods = {};  // rows, in order
  std::vector<Side> sides = {};             // one, two or more
  std::vector<Skipped> left_out = {};       // of the whole page
  RuleTable rules = {};
};
/// What side s found by a method, or null; and how the first two sides agree on its map of that place.
const MethodResult* result_of(const Side&, const Method&);
std::optional<double> agreement(const Comparison&, const Method&, size_t map);

/// The page, everything inline.
std::string comparison_page(const Comparison&);

}  // namespace loupe
