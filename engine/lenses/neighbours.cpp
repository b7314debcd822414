#include "engine/lenses/neighbours.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/lenses/similarity.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

// Those of a row's columns that may be among its k nearest. A column that is has a true score of at least the k-th best
// float32 score less the bound, and so a float32 score of at least that less twice the bound.
class Candidates {
 public:
  void begin(int64_t k, float bound) {
    k_ = static_cast<size_t>(k);
    slack_ = 2 * bound;
    full_ = 4 * k_ + 64;
    threshold_ = -std::numeric_limits<float>::infinity();
    found_.clear();
  }
  void look_at(int64_t first, std::span<const float> scores) {
    constexpr size_t kRun = 16;
    for (size_t i = 0; i < scores.size(); i += kRun) {
      const size_t end = std::min(scores.size(), i + kRun);
      bool any = false;
      for (size_t j = i; j < end; ++j) any |= scores[j] >= threshold_;
      if (!any) continue;
      for (size_t j = i; j < end; ++j)
        if (scores[j] >= threshold_ && scores[j] > -std::numeric_limits<float>::infinity())
          found_.push_back({scores[j], static_cast<int32_t>(first + static_cast<int64_t>(j))});
      if (found_.size() > full_) prune();
    }
  }
  struct Candidate {
    float score;
    int32_t index;
  };
  const std::vector<Candidate>& all() {
    prune();
    return found_;
  }

 private:
  void prune() {
    if (found_.size() < k_) return;
    std::ranges::nth_element(found_, found_.begin() + static_cast<int64_t>(k_ - 1), std::greater(),
                             &Candidate::score);
    const float worst = found_[k_ - 1].score;
    threshold_ = std::nextafter(worst - slack_, -std::numeric_limits<float>::infinity());
    std::erase_if(found_, [&](const Candidate& c) { return c.score < threshold_; });
    full_ = std::max(full_, 2 * found_.size());  // many that are as near as can be told
  }

  size_t k_ = 0, full_ = 0;
  float slack_ = 0, threshold_ = 0;
  std::vector<Candidate> found_ = {};
};

bool nearer(const Near& a, const Near& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.index < b.index;
}

std::vector<Near> first_of(std::vector<Near> all, int64_t k) {
  const auto end = all.begin() + std::min(k, std::ssize(all));
  std::ranges::partial_sort(all, end, nearer);
  all.erase(end, all.end());
  return all;
}

double shown(double distance, Metric metric) {
  return metric == Metric::euclidean ? std::sqrt(distance) : distance;
}

}  // namespace

Neighbours nearest_neighbours(const Tensor& x, int64_t k, Metric metric, const Progress& progress) {
  const int64_t n = x.shape()[0];
  if (k < 1 || k >= n)
    throw UsageError("of " + std::to_string(n) + (n == 1 ? " point" : " points") + " there are no " +
                     std::to_string(k) + " nearest others");
  Similarity similarity(x, metric);
  Neighbours result{.k = k,
                    .index = std::vector<int32_t>(static_cast<size_t>(n * k)),
                    .distance = std::vector<double>(static_cast<size_t>(n * k))};
  std::vector<Candidates> candidates(static_cast<size_t>(std::min(n, Similarity::kRows)));
  for (int64_t begin = 0; begin < n; begin += Similarity::kRows) {
    const int64_t end = std::min(n, begin + Similarity::kRows);
    const auto of = [&](int64_t i) -> Candidates& { return candidates[static_cast<size_t>(i - begin)]; };
    for (int64_t i = begin; i < end; ++i) of(i).begin(k, similarity.bound(i));
    similarity.scores(begin, end, [&](int64_t i, int64_t first, std::span<const float> scores) {
      of(i).look_at(first, scores);
    });
    parallel_for(end - begin, [&](int64_t r) {
      const int64_t i = begin + r;
      std::vector<Near> near;
      for (const auto& c : of(i).all()) near.push_back({c.index, similarity.distance(i, c.index)});
      near = first_of(std::move(near), k);
      for (size_t j = 0; j < near.size(); ++j) {
        result.index[static_cast<size_t>(i * k) + j] = static_cast<int32_t>(near[j].index);
        result.distance[static_cast<size_t>(i * k) + j] = shown(near[j].distance, metric);
      }
    });
    if (progress) progress(static_cast<double>(end) / static_cast<double>(n));
  }
  return result;
}

std::vector<Near> nearest_to(const Tensor& x, std::span<const float> vector, int64_t k, Metric metric,
                             std::span<const int64_t> except) {
  const int64_t n = x.shape()[0];
  const double length = std::sqrt(dot(vector, vector));
  std::vector<Near> all(static_cast<size_t>(n));
  parallel_for(n, [&](int64_t i) {
    const auto row = row_of(x, i);
    double distance = 1;
    if (metric == Metric::euclidean)
      distance = squared_distance(row, vector);
    else if (const double both = std::sqrt(dot(row, row)) * length; both > 0)
      distance = 1 - dot(row, vector) / both;
    all[static_cast<size_t>(i)] = {i, shown(distance, metric)};
  });
  std::erase_if(all, [&](const Near& one) { return std::ranges::count(except, one.index) > 0; });
  return first_of(std::move(all), k);
}

std::vector<Near> analogy(const Tensor& x, int64_t a, int64_t b, int64_t c, int64_t k) {
  const Tensor unit = unit_rows(x);
  std::vector<float> wanted(static_cast<size_t>(x.shape()[1]));
  for (size_t d = 0; d < wanted.size(); ++d)
    wanted[d] = row_of(unit, a)[d] - row_of(unit, b)[d] + row_of(unit, c)[d];
  return nearest_to(unit, wanted, k, Metric::cosine, std::vector<int64_t>{a, b, c});
}

}  // namespace loupe
