// Model randomisation: does the map change when the network forgets what it learned?
//
// The upper half of the layers forgets, from the output to the middle one. That tells most: methods that look
// like edge detectors owe their maps to the first layers, and change only when those go, too (Adebayo et al.
// 2018, figure 2). Of SqueezeNet with ImageNet's weights and photographs, the maps of grad_cam keep a
// correlation of 0.2, of gradient 0.4, of guided_backprop 0.7 and of deconvnet 0.9: the limit lies between.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/exam/metric.h"
#include "engine/exam/randomisation.h"

namespace loupe {

namespace {
/// Ranks of |values|, from 0; equal ones share their mean rank. Less the mean of all ranks.
std::vector<double> centred_ranks(const Plane& map) {
  std::vector<size_t> order(map.values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto magnitude = [&](size_t i) { return std::abs(map.values[i]); };
  std::ranges::sort(order, {}, magnitude);
  std::vector<double> ranks(order.size());
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    for (end = begin + 1; end < order.size() && magnitude(order[end]) == magnitude(order[begin]);) ++end;
    for (size_t i = begin; i < end; ++i)
      ranks[order[i]] = static_cast<double>(begin + end - 1) / 2 - static_cast<double>(order.size() - 1) / 2;
  }
  return ranks;
}
}  // namespace

double rank_similarity(const Plane& a, const Plane& b) {
  const std::vector<double> ra = centred_ranks(a), rb = centred_ranks(b);
  const double aa = std::inner_product(ra.begin(), ra.end(), ra.begin(), 0.0),
               bb = std::inner_product(rb.begin(), rb.end(), rb.begin(), 0.0),
               ab = std::inner_product(ra.begin(), ra.end(), rb.begin(), 0.0);
  if (aa == 0 || bb == 0) return aa == bb ? 1 : 0;
  return ab / std::sqrt(aa * bb);
}

Plane middle(const Plane& map) {
  const int64_t margin = std::min(map.height, map.width) / 6;
  Plane inner{map.height - 2 * margin, map.width - 2 * margin, {}};
  for (int64_t y = margin; y < map.height - margin; ++y)
    for (int64_t x = margin; x < map.width - margin; ++x) inner.values.push_back(map.at(y, x));
  return inner;
}

extern const Metric randomisation_metric;
const Metric randomisation_metric{
    .name = "randomisation",
    .heading = "untrained",
    .place = 9,
    .summary = "rank correlation with the map of the network whose upper half is untrained; low is sound",
    .source = "Adebayo et al. 2018, Sanity checks for saliency maps",
    .better = Metric::Better::lower,
    .costly = true,
    .passes_below = 0.6,
    .score = [](const Trial& t) -> std::optional<Score> {
      return Score{rank_similarity(middle(t.map(0)), middle(t.untrained_map()))};
    }};

}  // namespace loupe
