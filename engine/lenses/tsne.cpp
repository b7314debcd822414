#include "engine/lenses/tsne.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/lenses/pca.h"
#include "kernels/common/draws.h"
#include "kernels/common/parallel.h"
#include "kernels/sne/sne.h"

namespace loupe {
namespace {

constexpr int64_t kSide = kSneBlock;

// Tiles of the pairs of n points, each pair of blocks once: tile (i, j), i ≤ j.
class Tiles {
 public:
  explicit Tiles(int64_t n) : n_(n), side_(ceil_div(n, kSide)) {
    for (int64_t i = 0; i < side_; ++i)
      for (int64_t j = i; j < side_; ++j) pairs_.emplace_back(i, j);
    storage_ = Storage::allocate(tsne_bytes(n));
  }
  int64_t side() const { return side_; }
  int64_t count() const { return std::ssize(pairs_); }
  std::pair<int64_t, int64_t> pair(int64_t t) const { return pairs_[static_cast<size_t>(t)]; }
  int64_t points(int64_t block) const { return std::min(kSide, n_ - block * kSide); }
  float* tile(int64_t t) const { return reinterpret_cast<float*>(storage_->data()) + t * kSneTile; }
  float* tile(int64_t i, int64_t j) const { return tile(i * side_ - i * (i - 1) / 2 + j - i); }

 private:
  int64_t n_, side_;
  std::vector<std::pair<int64_t, int64_t>> pairs_ = {};
  std::shared_ptr<Storage> storage_ = {};
};

void fill_distances(const Tiles& tiles, const Tensor& x) {
  const int64_t dims = x.shape()[1];
  std::vector<float> scratch(static_cast<size_t>(kBlock * dims * max_threads()));
  const float* from = x.values<const float>().data();
  parallel_for(tiles.count(), [&](int64_t t) {
    const auto [i, j] = tiles.pair(t);
    cpu::sne_distances(from + i * kSide * dims, tiles.points(i), from + j * kSide * dims, tiles.points(j),
                       dims, scratch.data() + thread_index() * kBlock * dims, tiles.tile(t));
  });
}

struct Gaussians {  // of all points, whole blocks
  std::vector<float> beta, least, scale;
};

// The β at which the entropy of a row is `wanted`: Newton's steps for log β, and bisection where they leave the
// bracket. The entropy H = log Σw + βΣwt/Σw falls with β: dH/d(log β) = −β²·(variance of t under w).
void find_gaussian(const float* distances, int64_t count, double wanted, size_t at, Gaussians& to) {
  constexpr int kMost = 100;
  constexpr double kNear = 1e-6;
  const float least = *std::min_element(distances, distances + count);
  double mean = 0;
  for (int64_t j = 0; j < count; ++j) mean += static_cast<double>(distances[j] - least);
  mean /= static_cast<double>(count);
  double low = -80, high = 80, t = mean > 0 ? std::clamp(-std::log(mean), low, high) : 0;
  GaussianSums sums;
  for (int step = 0; step < kMost; ++step) {
    const double beta = std::exp(t);
    sums = cpu::sne_gaussian_sums(distances, count, static_cast<float>(beta), least);
    const double first = sums.first / sums.weight, off = std::log(sums.weight) + beta * first - wanted;
    if (std::abs(off) < kNear) break;
    (off > 0 ? low : high) = t;
    const double slope = beta * beta * (sums.second / sums.weight - first * first);
    const double next = t + off / slope;
    t = slope > 0 && next > low && next < high ? next : (low + high) / 2;
    if (high - low < 1e-9) break;
  }
  to.beta[at] = static_cast<float>(std::exp(t));
  to.least[at] = least;
  sums = cpu::sne_gaussian_sums(distances, count, to.beta[at], least);
  to.scale[at] = static_cast<float>(1 / sums.weight);
}

// Distances of block `block` to all other points, each row without the point itself.
void gather_rows(const Tiles& tiles, int64_t block, int64_t n, std::vector<float>& rows) {
  parallel_for(tiles.side(), [&](int64_t other) {
    const float* tile = tiles.tile(std::min(block, other), std::max(block, other));
    const int64_t row = other < block ? 1 : kSide, column = other < block ? kSide : 1;
    for (int64_t i = 0; i < tiles.points(block); ++i)
      for (int64_t j = 0; j < tiles.points(other); ++j) {
        const int64_t self = block * kSide + i, at = other * kSide + j;
        if (at != self)
          rows[static_cast<size_t>(i * (n - 1) + at - (at > self))] = tile[i * row + j * column];
      }
  });
}

Gaussians find_gaussians(const Tiles& tiles, int64_t n, double perplexity, const Progress& progress) {
  const auto padded = static_cast<size_t>(tiles.side() * kSide);
  Gaussians all{std::vector<float>(padded), std::vector<float>(padded), std::vector<float>(padded)};
  std::vector<float> rows(static_cast<size_t>(std::min(n, kSide) * (n - 1)));
  for (int64_t block = 0; block < tiles.side(); ++block) {
    gather_rows(tiles, block, n, rows);
    parallel_for(tiles.points(block), [&](int64_t i) {
      find_gaussian(rows.data() + i * (n - 1), n - 1, std::log(perplexity),
                    static_cast<size_t>(block * kSide + i), all);
    });
    if (progress) progress(static_cast<double>(block) / static_cast<double>(tiles.side()));
  }
  return all;
}

void fill_affinities(const Tiles& tiles, Gaussians g, int64_t n) {
  for (float& s : g.scale) s = static_cast<float>(static_cast<double>(s) / (2 * static_cast<double>(n)));
  const auto block = [&](int64_t i) {
    const int64_t at = i * kSide;
    return SneGaussians{g.beta.data() + at, g.least.data() + at, g.scale.data() + at, tiles.points(i)};
  };
  parallel_for(tiles.count(), [&](int64_t t) {
    const auto [i, j] = tiles.pair(t);
    cpu::sne_affinities(block(i), block(j), i == j, tiles.tile(t));
  });
}

Tensor beginning(const Tensor& x, const TsneOptions& o) {
  constexpr double kDeviation = 1e-4;
  const int64_t n = x.shape()[0];
  Tensor y = Tensor::zeros(Dtype::f64, {n, 2});
  const auto to = y.values<double>();
  if (!o.from_noise) {
    const Pca found = pca(x, 2);
    const double deviation = std::sqrt(found.spread[0] * static_cast<double>(n - 1) / static_cast<double>(n));
    if (deviation > 0) {
      const auto scores = found.scores.values<const double>();
      for (size_t i = 0; i < to.size(); ++i) to[i] = scores[i] / deviation * kDeviation;
      return y;
    }
  }
  Draws(std::to_string(o.seed)).normals("tsne", to);  // also of points that are all the same
  for (double& v : to) v *= kDeviation;
  return y;
}

// The map as it moves.
class Descent {
 public:
  Descent(const Tiles& tiles, const Tensor& y)
      : tiles_(tiles),
        y_(y.values<double>()),
        n_(std::ssize(y_) / 2),
        sums_(static_cast<size_t>(tiles.count())) {
    const auto padded = static_cast<size_t>(tiles.side() * kSide);
    for (auto* of : {&x_of_, &y_of_}) of->assign(padded, 0);
    partial_.assign(padded * static_cast<size_t>(tiles.side()) * 4, 0);
    speed_.assign(y_.size(), 0);
    gain_.assign(y_.size(), 1);
  }

  /// Delta-bar-delta, as van der Maaten's programs have it: a gain grows while its number goes on in one direction.
  void step(double exaggeration, double momentum, double rate) {
    const double all = forces();
    parallel_for(tiles_.side(), [&](int64_t block) {
      for (int64_t i = 0; i < tiles_.points(block); ++i)
        for (int64_t c = 0; c < 2; ++c) {
          double attract = 0, repel = 0;
          for (int64_t other = 0; other < tiles_.side(); ++other) {
            attract += static_cast<double>(partial(block, other, c)[i]);
            repel += static_cast<double>(partial(block, other, 2 + c)[i]);
          }
          move(static_cast<size_t>(2 * (block * kSide + i) + c), 4 * (exaggeration * attract - repel / all),
               momentum, rate);
        }
    });
  }

  /// KL(P‖Q). Of each pair once; a P of 0 adds nothing.
  double divergence() {
    const double log_all = std::log(forces());
    parallel_for(tiles_.count(), [&](int64_t t) {
      const auto [a, b] = tiles_.pair(t);
      double sum = 0;
      for (int64_t i = 0; i < tiles_.points(a); ++i)
        for (int64_t j = a == b ? i + 1 : 0; j < tiles_.points(b); ++j) {
          const auto p = static_cast<double>(tiles_.tile(t)[i * kSide + j]);
          const size_t u = static_cast<size_t>(2 * (a * kSide + i)),
                       v = static_cast<size_t>(2 * (b * kSide + j));
          const double dx = y_[u] - y_[v], dy = y_[u + 1] - y_[v + 1];
          if (p > 0) sum += 2 * p * (std::log(p * (1 + dx * dx + dy * dy)) + log_all);
        }
      sums_[static_cast<size_t>(t)] = sum;
    });
    double sum = 0;
    for (const double s : sums_) sum += s;
    return sum;
  }

 private:
  // Force `kind` on the points of a block by those of another; kinds as in SneForces.
  float* partial(int64_t block, int64_t other, int64_t kind) {
    return partial_.data() + ((block * tiles_.side() + other) * 4 + kind) * kSide;
  }
  SneForces forces_between(int64_t block, int64_t other) {
    float* at = partial(block, other, 0);
    return {at, at + kSide, at + 2 * kSide, at + 3 * kSide};
  }
  // Makes all partial forces; returns Σ q over all ordered pairs.
  double forces() {
    for (int64_t i = 0; i < n_; ++i) {
      x_of_[static_cast<size_t>(i)] = static_cast<float>(y_[static_cast<size_t>(2 * i)]);
      y_of_[static_cast<size_t>(i)] = static_cast<float>(y_[static_cast<size_t>(2 * i + 1)]);
    }
    const auto points = [&](int64_t b) {
      return SnePoints{x_of_.data() + b * kSide, y_of_.data() + b * kSide, tiles_.points(b)};
    };
    parallel_for(tiles_.count(), [&](int64_t t) {
      const auto [i, j] = tiles_.pair(t);
      const double sum = cpu::sne_forces(tiles_.tile(t), points(i), points(j), i == j, forces_between(i, j),
                                         forces_between(j, i));
      sums_[static_cast<size_t>(t)] = i == j ? sum : 2 * sum;
    });
    double all = 0;
    for (const double s : sums_) all += s;
    return std::max(all, std::numeric_limits<double>::min());
  }
  void move(size_t at, double gradient, double momentum, double rate) {
    constexpr double kLeastGain = 0.01;
    gain_[at] = std::max(kLeastGain, speed_[at] * gradient < 0 ? gain_[at] + 0.2 : gain_[at] * 0.8);
    speed_[at] = momentum * speed_[at] - rate * gain_[at] * gradient;
    y_[at] += speed_[at];
  }

  const Tiles& tiles_;
  std::span<double> y_;
  int64_t n_;
  std::vector<double> sums_, speed_ = {}, gain_ = {};
  std::vector<float> x_of_ = {}, y_of_ = {}, partial_ = {};
};

}  // namespace

int64_t tsne_bytes(int64_t n) {
  const int64_t side = ceil_div(n, kSide);
  return side * (side + 1) / 2 * kSneTile * static_cast<int64_t>(sizeof(float));
}

Tsne tsne(const Tensor& x, const TsneOptions& o, const Progress& progress) {
  const int64_t n = x.shape()[0];
  if (!(o.perplexity >= 1) || !(o.perplexity < static_cast<double>(n - 1)))
    throw UsageError("t-SNE of " + std::to_string(n) + (n == 1 ? " point" : " points") +
                     (n > 2 ? " takes a perplexity of 1 or more, and below " + std::to_string(n - 1)
                            : " has no perplexity: it needs three or more"));
  constexpr double kFirst = 0.1;  // of the work, the affinities
  const auto part = [&](double begin, double length) {
    return [=, &progress](double done) {
      if (progress) progress(begin + length * done);
    };
  };
  const Tiles tiles(n);
  const Tensor centred = centred_rows(x);
  fill_distances(tiles, centred);
  fill_affinities(tiles, find_gaussians(tiles, n, o.perplexity, part(0, kFirst)), n);
  Tsne result{.map = beginning(centred, o)};
  const double rate = o.rate > 0 ? o.rate : std::max(static_cast<double>(n) / o.exaggeration / 4, 50.0);
  Descent descent(tiles, result.map);
  const auto steps = part(kFirst, 1 - kFirst);
  for (int64_t s = 0; s < o.steps; ++s) {
    const bool early = s < o.exaggerated;
    descent.step(early ? o.exaggeration : 1, early ? 0.5 : 0.8, rate);
    steps(static_cast<double>(s + 1) / static_cast<double>(o.steps));
  }
  result.divergence = descent.divergence();
  return result;
}

}  // namespace loupe
