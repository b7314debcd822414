#include "engine/segment/grab_cut.h"

#include <algorithm>
#include <cmath>

#include "engine/segment/colour_mixture.h"
#include "engine/segment/min_cut.h"
#include "kernels/common/error.h"

namespace loupe {

std::vector<Seed> saliency_seeds(const Plane& map, double foreground, double background) {
  if (!(background >= 0 && background < foreground && foreground <= 1))
    throw UsageError("quantiles of seeds are 0 ≤ background < foreground ≤ 1, not " +
                     std::to_string(background) + " and " + std::to_string(foreground));
  if (map.values.empty()) throw UsageError("a map without pixels has no seeds");
  std::vector<double> sorted = map.values;
  std::ranges::sort(sorted);
  const auto quantile = [&](double q) {
    return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
  };
  const double low = quantile(background), high = quantile(foreground);
  if (!(low < high))
    throw UsageError("the map is too flat for seeds: its " + std::to_string(std::lround(100 * background)) +
                     " % and " + std::to_string(std::lround(100 * foreground)) +
                     " % quantiles are the same, " + std::to_string(low));
  std::vector<Seed> seeds;
  for (const double v : map.values)
    seeds.push_back(v >= high ? Seed::foreground : v <= low ? Seed::background : Seed::unknown);
  return seeds;
}

namespace {

constexpr double kUnit = 65536;              // the energy's units in one of its natural ones
constexpr int64_t kMost = int64_t{1} << 40;       // of a cost: a component that nothing is in
constexpr int64_t kForced = int64_t{1} << 50;

int64_t units(double energy) {
  return static_cast<int64_t>(std::llround(std::min(energy * kUnit, static_cast<double>(kMost))));
}
double natural(int64_t energy) { return static_cast<double>(energy) / kUnit; }

// The state of the minimisation.
class Cutter {
 public:
  Cutter(const Image& image, const std::vector<Seed>& seeds, const GrabCutOptions& options)
      : height_(image.height), width_(image.width), seeds_(seeds), options_(options) {
    for (size_t i = 0; i < seeds.size(); ++i)
      colours_.push_back({static_cast<double>(image.rgb[3 * i]), static_cast<double>(image.rgb[3 * i + 1]),
                          static_cast<double>(image.rgb[3 * i + 2])});
    graph_.to_source.resize(seeds.size());
    graph_.to_sink.resize(seeds.size());
    join_neighbours();
    components_.resize(seeds.size());
    for (const bool front : {false, true})
      mixtures_.emplace_back(
          coloured([&](size_t i) { return seeds_[i] == (front ? Seed::foreground : Seed::background); }),
          options.components);
  }

  // Labels and components of least energy, with these mixtures.
  void cut() {
    for (size_t i = 0; i < colours_.size(); ++i) {
      graph_.to_source[i] = cost(i, false, mixtures_[0].nearest(colours_[i]));  // cut where i is behind
      graph_.to_sink[i] = cost(i, true, mixtures_[1].nearest(colours_[i]));
      if (!options_.keep_seeds || seeds_[i] == Seed::unknown) continue;
      (seeds_[i] == Seed::foreground ? graph_.to_source : graph_.to_sink)[i] += kForced;
    }
    // What both ways have in common need not flow.
    for (size_t i = 0; i < colours_.size(); ++i) {
      const int64_t both = std::min(graph_.to_source[i], graph_.to_sink[i]);
      graph_.to_source[i] -= both;
      graph_.to_sink[i] -= both;
    }
    front_ = min_cut(graph_);
    assign();
  }

  void assign() {
    for (size_t i = 0; i < colours_.size(); ++i) components_[i] = mixtures_[front_[i]].nearest(colours_[i]);
  }

  // Where the mixtures are the likeliest already, rounding may put the new ones above them: then the old ones stay.
  void learn() {
    for (const bool front : {false, true}) {
      std::vector<int> components;
      for (size_t i = 0; i < colours_.size(); ++i)
        if (front_[i] == front) components.push_back(components_[i]);
      if (components.empty()) continue;
      const int64_t before = energy();
      const ColourMixture old = mixtures_[front];
      mixtures_[front].learn(coloured([&](size_t i) { return front_[i] == front; }), components);
      if (energy() > before) mixtures_[front] = old;
    }
  }

  int64_t energy() const {
    int64_t sum = 0;
    for (size_t i = 0; i < colours_.size(); ++i) sum += cost(i, front_[i], components_[i]);
    for (const CutGraph::Edge& e : graph_.edges)
      if (front_[static_cast<size_t>(e.a)] != front_[static_cast<size_t>(e.b)]) sum += e.capacity;
    return sum;
  }

  Region mask() const { return {height_, width_, front_}; }

 private:
  template <typename Chosen>
  std::vector<Colour> coloured(const Chosen& chosen) const {
    std::vector<Colour> list;
    for (size_t i = 0; i < colours_.size(); ++i)
      if (chosen(i)) list.push_back(colours_[i]);
    return list;
  }

  // Above zero as the densities of quantised colours are below 1: kLeastVariance.
  int64_t cost(size_t i, bool front, int k) const { return units(mixtures_[front].cost(k, colours_[i])); }

  void join_neighbours() {
    double sum = 0;
    int64_t count = 0;
    each_pair([&](size_t a, size_t b, double) {
      sum += distance(a, b);
      ++count;
    });
    const double beta = sum > 0 ? static_cast<double>(count) / (2 * sum) : 0;
    each_pair([&](size_t a, size_t b, double apart) {
      graph_.edges.push_back({static_cast<int64_t>(a), static_cast<int64_t>(b),
                              units(options_.gamma * std::exp(-beta * distance(a, b)) / apart)});
    });
  }
  template <typename Pair>
  void each_pair(const Pair& pair) const {
    for (int64_t y = 0; y < height_; ++y)
      for (int64_t x = 0; x < width_; ++x) {
        const auto here = static_cast<size_t>(y * width_ + x), width = static_cast<size_t>(width_);
        if (x + 1 < width_) pair(here, here + 1, 1.0);
        if (y + 1 == height_) continue;
        if (x > 0) pair(here, here + width - 1, std::sqrt(2.0));
        pair(here, here + width, 1.0);
        if (x + 1 < width_) pair(here, here + width + 1, std::sqrt(2.0));
      }
  }
  double distance(size_t a, size_t b) const {  // squared
    double sum = 0;
    for (size_t c = 0; c < 3; ++c)
      sum += (colours_[a][c] - colours_[b][c]) * (colours_[a][c] - colours_[b][c]);
    return sum;
  }

  int64_t height_, width_;
  const std::vector<Seed>& seeds_;
  GrabCutOptions options_;
  std::vector<Colour> colours_;
  CutGraph graph_;
  std::vector<ColourMixture> mixtures_;  // behind, in front
  std::vector<uint8_t> front_;
  std::vector<int> components_;
};

void check(const Image& image, const std::vector<Seed>& seeds, const GrabCutOptions& options) {
  if (image.width < 1 || image.height < 1 || std::ssize(seeds) != image.width * image.height)
    throw UsageError(std::to_string(seeds.size()) + " seeds do not fit a picture of " +
                     std::to_string(image.width) + "×" + std::to_string(image.height) + " pixels");
  if (options.components < 1 || options.rounds < 0 || !(options.gamma >= 0) || options.gamma > 1e6)
    throw UsageError(
        "GrabCut takes at least one component, no negative number of rounds, and a gamma of 0 to 10⁶");
  for (const Seed s : {Seed::foreground, Seed::background})
    if (std::ranges::count(seeds, s) == 0)
      throw UsageError(std::string("there are no seeds of the ") +
                       (s == Seed::foreground ? "foreground" : "background"));
}

}  // namespace

GrabCutResult grab_cut(const Image& image, const std::vector<Seed>& seeds, const GrabCutOptions& options) {
  check(image, seeds, options);
  Cutter cutter(image, seeds, options);
  cutter.cut();
  int64_t energy = cutter.energy();
  GrabCutResult result{.mask = {}, .first = natural(energy)};
  for (int round = 0; round < options.rounds && !result.settled; ++round) {
    GrabCutRound r{};
    cutter.assign();
    r.assigned = natural(cutter.energy());
    cutter.learn();
    r.learned = natural(cutter.energy());
    cutter.cut();
    const int64_t now = cutter.energy();
    r.cut = natural(now);
    result.rounds.push_back(r);
    result.settled = now == energy;
    energy = now;
  }
  result.mask = options.largest ? largest_part(cutter.mask()) : cutter.mask();
  return result;
}

double iou(const Region& a, const Region& b) {
  if (a.inside.size() != b.inside.size()) throw Error("regions of different sizes have no overlap");
  int64_t both = 0, either = 0;
  for (size_t i = 0; i < a.inside.size(); ++i) {
    both += a.inside[i] && b.inside[i];
    either += a.inside[i] || b.inside[i];
  }
  return either == 0 ? 1 : static_cast<double>(both) / static_cast<double>(either);
}

Region largest_part(const Region& region) {
  std::vector<int> part(region.inside.size(), -1);
  std::vector<int64_t> sizes, stack;
  for (size_t start = 0; start < part.size(); ++start) {
    if (!region.inside[start] || part[start] >= 0) continue;
    const int id = static_cast<int>(sizes.size());
    sizes.push_back(0);
    part[start] = id;
    stack.push_back(static_cast<int64_t>(start));
    while (!stack.empty()) {
      const int64_t at = stack.back(), y = at / region.width, x = at % region.width;
      stack.pop_back();
      ++sizes.back();
      for (int64_t v = std::max<int64_t>(y - 1, 0); v <= std::min(y + 1, region.height - 1); ++v)
        for (int64_t u = std::max<int64_t>(x - 1, 0); u <= std::min(x + 1, region.width - 1); ++u) {
          const auto next = static_cast<size_t>(v * region.width + u);
          if (!region.inside[next] || part[next] >= 0) continue;
          part[next] = id;
          stack.push_back(static_cast<int64_t>(next));
        }
    }
  }
  Region largest{region.height, region.width, std::vector<uint8_t>(region.inside.size(), 0)};
  if (sizes.empty()) return largest;
  const auto id = static_cast<int>(std::ranges::max_element(sizes) - sizes.begin());
  for (size_t i = 0; i < part.size(); ++i) largest.inside[i] = part[i] == id;
  return largest;
}

}  // namespace loupe
