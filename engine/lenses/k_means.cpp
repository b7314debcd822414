#include "engine/lenses/k_means.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include "kernels/common/parallel.h"
#include "kernels/common/random.h"

namespace loupe {
namespace {

class Lloyd {
 public:
  Lloyd(const Tensor& x, int64_t k)
      : x_(x), n_(x.shape()[0]), dims_(x.shape()[1]), k_(k), distance_(static_cast<size_t>(n_), kFar) {
    all_.of.assign(static_cast<size_t>(n_), 0);
    all_.centres.assign(static_cast<size_t>(k * dims_), 0);
  }

  // Each centre is a point, drawn by its squared distance from those before.
  void begin(uint64_t seed) {
    for (int64_t c = 0; c < k_; ++c) {
      const double total = std::accumulate(distance_.begin(), distance_.end(), 0.0);
      double left = uniform(seed, static_cast<uint64_t>(c)) * (c ? total : static_cast<double>(n_));
      int64_t chosen = 0, last = 0;
      for (int64_t i = 0; i < n_; ++i) {
        const double d = c ? distance_[static_cast<size_t>(i)] : 1;
        if (d > 0) last = i;
        chosen = i;
        if ((left -= d) < 0 && d > 0) break;
      }
      if (left >= 0) chosen = last;  // rounding, or fewer different points than clusters
      std::ranges::copy(row_of(x_, chosen), centre(c).begin());
      parallel_for(n_, [&](int64_t i) {
        double& d = distance_[static_cast<size_t>(i)];
        d = std::min(d, from_centre(i, c));
      });
    }
  }

  Clusters run(int64_t rounds) {
    assign();
    while (all_.rounds < rounds) {
      ++all_.rounds;
      move();
      if (!assign()) break;
    }
    all_.spread = std::accumulate(distance_.begin(), distance_.end(), 0.0);
    number();
    return all_;
  }

 private:
  static constexpr double kFar = std::numeric_limits<double>::infinity();

  std::span<double> centre(int64_t c) {
    return std::span(all_.centres).subspan(static_cast<size_t>(c * dims_), static_cast<size_t>(dims_));
  }
  double from_centre(int64_t i, int64_t c) {
    const auto row = row_of(x_, i);
    const auto to = centre(c);
    double sum = 0;
    for (size_t d = 0; d < row.size(); ++d) {
      const double off = static_cast<double>(row[d]) - to[d];
      sum += off * off;
    }
    return sum;
  }
  // Whether a point changed.
  bool assign() {
    std::vector<int32_t> before = all_.of;
    parallel_for(n_, [&](int64_t i) {
      double best = kFar;
      for (int64_t c = 0; c < k_; ++c)
        if (const double d = from_centre(i, c); d < best) {
          best = d;
          all_.of[static_cast<size_t>(i)] = static_cast<int32_t>(c);
        }
      distance_[static_cast<size_t>(i)] = best;
    });
    return before != all_.of;
  }
  void move() {
    std::vector<int64_t> counts(static_cast<size_t>(k_));
    for (const int32_t c : all_.of) ++counts[static_cast<size_t>(c)];
    for (int64_t c = 0; c < k_; ++c)
      if (counts[static_cast<size_t>(c)] == 0) take_farthest(c, counts);
    std::ranges::fill(all_.centres, 0.0);
    parallel_for(dims_, [&](int64_t d) {  // each number of all centres by one thread, in the order of points
      for (int64_t i = 0; i < n_; ++i)
        centre(all_.of[static_cast<size_t>(i)])[static_cast<size_t>(d)] +=
            static_cast<double>(row_of(x_, i)[static_cast<size_t>(d)]);
    });
    for (int64_t c = 0; c < k_; ++c)
      for (double& v : centre(c))
        v /= static_cast<double>(std::max<int64_t>(1, counts[static_cast<size_t>(c)]));
  }
  void take_farthest(int64_t c, std::vector<int64_t>& counts) {
    int64_t farthest = -1;
    for (int64_t i = 0; i < n_; ++i)
      if (counts[static_cast<size_t>(all_.of[static_cast<size_t>(i)])] > 1 &&
          (farthest < 0 || distance_[static_cast<size_t>(i)] > distance_[static_cast<size_t>(farthest)]))
        farthest = i;
    if (farthest < 0) return;
    --counts[static_cast<size_t>(all_.of[static_cast<size_t>(farthest)])];
    all_.of[static_cast<size_t>(farthest)] = static_cast<int32_t>(c);
    distance_[static_cast<size_t>(farthest)] = 0;
    counts[static_cast<size_t>(c)] = 1;
  }
  void number() {
    std::vector<int64_t> counts(static_cast<size_t>(k_)), first(static_cast<size_t>(k_), n_);
    for (int64_t i = n_ - 1; i >= 0; --i) {
      const auto c = static_cast<size_t>(all_.of[static_cast<size_t>(i)]);
      ++counts[c];
      first[c] = i;
    }
    std::vector<size_t> order(static_cast<size_t>(k_)), place(static_cast<size_t>(k_));
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](size_t a, size_t b) {
      return counts[a] != counts[b] ? counts[a] > counts[b] : first[a] < first[b];
    });
    std::vector<double> centres;
    for (size_t c = 0; c < order.size(); ++c) {
      place[order[c]] = c;
      const auto from = centre(static_cast<int64_t>(order[c]));
      centres.insert(centres.end(), from.begin(), from.end());
    }
    all_.centres = std::move(centres);
    for (int32_t& c : all_.of) c = static_cast<int32_t>(place[static_cast<size_t>(c)]);
  }

  const Tensor& x_;
  int64_t n_, dims_, k_;
  std::vector<double> distance_;  // squared, of each point from the nearest centre
  Clusters all_ = {};
};

}  // namespace

Clusters k_means(const Tensor& x, int64_t k, uint64_t seed, int64_t rounds) {
  if (k < 1 || k > x.shape()[0])
    throw UsageError("of " + std::to_string(x.shape()[0]) + " points there are no " + std::to_string(k) +
                     " clusters");
  Lloyd lloyd(x, k);
  lloyd.begin(seed);
  return lloyd.run(rounds);
}

}  // namespace loupe
