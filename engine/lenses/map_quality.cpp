#include "engine/lenses/map_quality.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "engine/lenses/similarity.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

// A neighbour on the map, of which the rank in x is counted.
struct Ranked {
  float low, high;  // scores between them are compared in double
  double distance;
  int64_t index, nearer = 0;
};

class Ranks {
 public:
  Ranks(const Similarity& s, int64_t i, std::span<const int32_t> others) : s_(&s), i_(i) {
    constexpr float kFar = std::numeric_limits<float>::infinity();
    for (const int32_t j : others) {
      const double score = s.score(i, j), bound = static_cast<double>(s.bound(i));
      all_.push_back({std::nextafter(static_cast<float>(score - bound), -kFar),
                      std::nextafter(static_cast<float>(score + bound), kFar), s.distance(i, j), j});
      least_ = std::min(least_, all_.back().low);
    }
  }
  // Most scores are less than all of those that are looked for: they are passed over, a run at once.
  void look_at(int64_t first, std::span<const float> scores) {
    constexpr size_t kRun = 32;
    for (size_t i = 0; i < scores.size(); i += kRun) {
      const auto run = scores.subspan(i, std::min(kRun, scores.size() - i));
      int32_t any = 0;
      for (const float score : run) any += score >= least_;
      if (any > 0) count(first + static_cast<int64_t>(i), run);
    }
  }
  /// Σ (rank − k) of those beyond k.
  double penalty(int64_t k) const {
    double sum = 0;
    for (const Ranked& r : all_) sum += static_cast<double>(std::max<int64_t>(0, r.nearer + 1 - k));
    return sum;
  }

 private:
  void count(int64_t first, std::span<const float> scores) {
    for (Ranked& r : all_) {
      int32_t surely = 0, perhaps = 0;
      const float low = r.low, high = r.high;
      for (const float score : scores) surely += score > high, perhaps += score >= low;
      r.nearer += surely;
      for (size_t j = 0; surely != perhaps && j < scores.size(); ++j)
        if (scores[j] >= low && scores[j] <= high) r.nearer += is_nearer(first + static_cast<int64_t>(j), r);
    }
  }
  bool is_nearer(int64_t j, const Ranked& than) const {
    if (j == than.index) return false;
    const double d = s_->distance(i_, j);
    return d != than.distance ? d < than.distance : j < than.index;
  }
  const Similarity* s_;
  int64_t i_;
  float least_ = std::numeric_limits<float>::infinity();  // of their `low`
  std::vector<Ranked> all_ = {};
};

}  // namespace

double trustworthiness(const Tensor& x, Metric metric, const Neighbours& on_map, const Progress& progress) {
  const int64_t n = x.shape()[0], k = on_map.k;
  if (2 * k >= n)
    throw UsageError("trustworthiness of " + std::to_string(k) + " neighbours needs more than " +
                     std::to_string(2 * k) + " points");
  Similarity similarity(x, metric);
  double sum = 0;
  for (int64_t begin = 0; begin < n; begin += Similarity::kRows) {
    const int64_t end = std::min(n, begin + Similarity::kRows);
    std::vector<Ranks> ranks;
    for (int64_t i = begin; i < end; ++i) ranks.emplace_back(similarity, i, on_map.of(i));
    similarity.scores(begin, end, [&](int64_t i, int64_t first, std::span<const float> scores) {
      ranks[static_cast<size_t>(i - begin)].look_at(first, scores);
    });
    for (const Ranks& r : ranks) sum += r.penalty(k);  // whole numbers
    if (progress) progress(static_cast<double>(end) / static_cast<double>(n));
  }
  const auto size = static_cast<double>(n), count = static_cast<double>(k);
  return 1 - 2 / (size * count * (2 * size - 3 * count - 1)) * sum;
}

double neighbour_recall(const Neighbours& truth, const Neighbours& on_map) {
  int64_t common = 0;
  for (int64_t i = 0; i < truth.size(); ++i)
    for (const int32_t j : on_map.of(i)) common += std::ranges::count(truth.of(i), j);
  return static_cast<double>(common) / static_cast<double>(std::max<size_t>(1, truth.index.size()));
}

Purity label_purity(const Neighbours& neighbours, std::span<const int32_t> labels) {
  std::map<int32_t, int64_t> counts;
  for (const int32_t label : labels) ++counts[label];
  int64_t same = 0;
  double pairs = 0;
  for (int64_t i = 0; i < neighbours.size(); ++i)
    for (const int32_t j : neighbours.of(i))
      same += labels[static_cast<size_t>(j)] == labels[static_cast<size_t>(i)];
  for (const auto& [label, count] : counts)
    pairs += static_cast<double>(count) * static_cast<double>(count - 1);
  const auto n = static_cast<double>(labels.size());
  return {static_cast<double>(same) / static_cast<double>(neighbours.index.size()), pairs / (n * (n - 1))};
}

}  // namespace loupe
