// Maps of vectors and what is measured of them, against textbook loops in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "engine/lenses/k_means.h"
#include "engine/lenses/map_quality.h"
#include "engine/lenses/pca.h"
#include "engine/lenses/tsne.h"
#include "kernels/common/parallel.h"
#include "kernels/sne/sne.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/pictures.h"

namespace loupe::test {
namespace {

// Clouds of points around a few middles, none of them at the origin.
Tensor clouds(int64_t n, int64_t dims, int64_t middles = 5, double width = 0.6) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  std::vector<double> centres(static_cast<size_t>(middles * dims));
  for (double& c : centres) c = 3 + normal(random);
  Tensor x(Dtype::f32, {n, dims});
  const auto to = x.values<float>();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < dims; ++k)
      to[static_cast<size_t>(i * dims + k)] =
          static_cast<float>(centres[static_cast<size_t>(i % middles * dims + k)] + width * normal(random));
  return x;
}

double true_distance(const Tensor& x, int64_t i, int64_t j, Metric metric) {
  if (metric == Metric::euclidean) return squared_distance(row_of(x, i), row_of(x, j));
  const double both = std::sqrt(dot(row_of(x, i), row_of(x, i))) * std::sqrt(dot(row_of(x, j), row_of(x, j)));
  return both > 0 ? 1 - dot(row_of(x, i), row_of(x, j)) / both : 1;
}

// All others, nearest first, ties by index.
std::vector<int64_t> sorted_others(const Tensor& x, int64_t i, Metric metric) {
  std::vector<std::pair<double, int64_t>> all;
  for (int64_t j = 0; j < x.shape()[0]; ++j)
    if (j != i) all.emplace_back(true_distance(x, i, j, metric), j);
  std::ranges::sort(all);
  std::vector<int64_t> order;
  for (const auto& [d, j] : all) order.push_back(j);
  return order;
}

// For threads 1, 2 and 3, and the instruction sets that this machine has.
template <typename Body>
void everywhere(const Body& body) {
  const int threads = max_threads();
  for (const int t : {1, 2, 3}) {
    set_threads(t);
    body();
  }
  set_threads(threads);
  if (!has_both_instruction_sets()) return;
  for (const int64_t set : kInstructionSets) {
    hwy::SetSupportedTargetsForTest(set);
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.bytes() == b.bytes() &&
         std::equal(a.raw(), a.raw() + a.bytes(), b.raw());
}

}  // namespace

TEST_CASE("neighbours are those of a full sort in double, ties by index, by either metric") {
  Tensor x = clouds(1300, 37);
  const auto v = x.values<float>();
  const auto copy_row = [&](int64_t from, int64_t to) {
    std::copy_n(v.begin() + from * 37, 37, v.begin() + to * 37);
  };
  for (int64_t i = 0; i < 150; ++i) copy_row(3, 400 + 5 * i);  // more equal points than candidates
  std::fill_n(v.begin() + 37 * 11, 37, 0.0f);                  // at a right angle to all
  for (const Metric metric : {Metric::euclidean, Metric::cosine}) {
    CAPTURE(metric_name(metric));
    const Neighbours found = nearest_neighbours(x, 10, metric);
    for (int64_t i = 0; i < x.shape()[0]; ++i) {
      const std::vector<int64_t> truth = sorted_others(x, i, metric);
      for (size_t j = 0; j < 10; ++j) REQUIRE(found.of(i)[j] == truth[j]);
    }
    const double d = true_distance(x, 17, found.of(17)[4], metric);
    CHECK(found.distance[17 * 10 + 4] == (metric == Metric::cosine ? d : std::sqrt(d)));
    everywhere([&] {
      const Neighbours again = nearest_neighbours(x, 10, metric);
      CHECK(again.index == found.index);
      CHECK(again.distance == found.distance);
    });
  }
}

TEST_CASE("neighbours far from the origin, very small and very large, are still exact") {
  for (const float scale : {1e-30f, 1e15f}) {
    Tensor x = clouds(300, 5);
    for (float& v : x.values<float>()) v = (v + 100) * scale;
    const Neighbours found = nearest_neighbours(x, 3, Metric::euclidean);
    for (int64_t i = 0; i < 300; ++i) {
      const std::vector<int64_t> truth = sorted_others(x, i, Metric::euclidean);
      for (size_t j = 0; j < 3; ++j) REQUIRE(found.of(i)[j] == truth[j]);
    }
  }
}

TEST_CASE("neighbours of a vector, and analogies") {
  // king − man + woman: gender along the first number, rank along the second, and noise that is none of theirs.
  const std::vector<float> rows{1,  0, 0,   0, /* man */ -1,  0, 0, 0, /* woman */ 1,
                                1,  0, 0, /* king */
                                -1, 1, .1f, 0, /* queen */ 0, 0, 1, 0, 0,
                                0,  0, 1};
  const Tensor x = Tensor::from(std::span<const float>(rows), {6, 4});
  const std::vector<Near> found = analogy(x, 2, 0, 1, 2);
  REQUIRE(found.size() == 2);
  CHECK(found[0].index == 3);
  const std::vector<Near> near = nearest_to(x, row_of(x, 2), 9, Metric::euclidean);
  CHECK(near.size() == 6);
  CHECK(near[0].index == 2);
  CHECK(near[0].distance == 0);
  CHECK(near[1].index == 0);
  CHECK(near[1].distance == doctest::Approx(1));
}

TEST_CASE("trustworthiness, recall and purity as their definitions have them") {
  const Tensor x = clouds(640, 12, 4);
  Tensor map(Dtype::f32, {640, 2});  // two of the numbers: a bad map
  for (int64_t i = 0; i < 640; ++i)
    for (int64_t c = 0; c < 2; ++c)
      map.values<float>()[static_cast<size_t>(2 * i + c)] = row_of(x, i)[static_cast<size_t>(c)];
  const int64_t k = 7;
  const Neighbours on_map = nearest_neighbours(map, k, Metric::euclidean);
  for (const Metric metric : {Metric::euclidean, Metric::cosine}) {
    const Neighbours truth = nearest_neighbours(x, k, metric);
    double penalty = 0, common = 0, same_label = 0;
    for (int64_t i = 0; i < 640; ++i) {
      const std::vector<int64_t> order = sorted_others(x, i, metric);
      for (const int32_t j : on_map.of(i)) {
        const auto rank = std::ranges::find(order, j) - order.begin() + 1;
        penalty += static_cast<double>(std::max<int64_t>(0, rank - k));
        common += rank <= k;
        same_label += j % 4 == i % 4;
      }
    }
    const double expected = 1 - 2.0 / (640.0 * k * (2 * 640 - 3 * k - 1)) * penalty;
    CHECK(trustworthiness(x, metric, on_map) == doctest::Approx(expected).epsilon(1e-12));
    CHECK(expected < 0.95);  // else it shows little
    CHECK(neighbour_recall(truth, on_map) == doctest::Approx(common / (640.0 * k)).epsilon(1e-12));
    std::vector<int32_t> labels;
    for (int32_t i = 0; i < 640; ++i) labels.push_back(i % 4);
    const Purity purity = label_purity(on_map, labels);
    CHECK(purity.share == doctest::Approx(same_label / (640.0 * k)).epsilon(1e-12));
    CHECK(purity.chance == doctest::Approx(159.0 / 639).epsilon(1e-12));
    everywhere(
        [&] { CHECK(trustworthiness(x, metric, on_map) == doctest::Approx(expected).epsilon(1e-12)); });
  }
  CHECK(trustworthiness(x, Metric::euclidean, nearest_neighbours(x, k, Metric::euclidean)) == 1);
  CHECK_THROWS_AS(trustworthiness(x.slice(0, 14), Metric::euclidean, on_map), UsageError);
}

TEST_CASE(
    "principal components are eigenvectors of the covariance, those of the greatest values, from either "
    "side") {
  for (const auto& [n, dims] : {std::pair<int64_t, int64_t>{200, 70}, {40, 150}}) {
    const Tensor x = clouds(n, dims);
    const Pca found = pca(x, 5);
    std::vector<double> a(static_cast<size_t>(n * dims));
    double squares = 0;
    for (int64_t k = 0; k < dims; ++k) {
      double mean = 0;
      for (int64_t i = 0; i < n; ++i) mean += static_cast<double>(row_of(x, i)[static_cast<size_t>(k)]);
      mean /= static_cast<double>(n);
      for (int64_t i = 0; i < n; ++i) {
        const double v = static_cast<double>(row_of(x, i)[static_cast<size_t>(k)]) - mean;
        a[static_cast<size_t>(i * dims + k)] = v;
        squares += v * v;
      }
    }
    const auto width = static_cast<size_t>(dims);
    const auto on = [&](std::span<const double> axis) {  // where the points lie on it
      std::vector<double> at(static_cast<size_t>(n));
      for (size_t i = 0; i < at.size(); ++i)
        for (size_t k = 0; k < width; ++k) at[i] += a[i * width + k] * axis[k];
      return at;
    };
    const auto covariance_times = [&](std::span<const double> axis) {
      const std::vector<double> at = on(axis);
      std::vector<double> to(width);
      for (size_t i = 0; i < at.size(); ++i)
        for (size_t k = 0; k < width; ++k) to[k] += at[i] * a[i * width + k] / static_cast<double>(n - 1);
      return to;
    };
    const auto axes = found.axes.values<const double>(), scores = found.scores.values<const double>();
    const auto axis_of = [&](size_t c) { return axes.subspan(c * width, width); };
    const auto product = [](std::span<const double> u, std::span<const double> v) {
      double sum = 0;
      for (size_t k = 0; k < u.size(); ++k) sum += u[k] * v[k];
      return sum;
    };
    for (size_t c = 0; c < 5; ++c) {
      for (size_t d = 0; d < 5; ++d) CHECK(std::abs(product(axis_of(c), axis_of(d)) - (c == d)) < 1e-12);
      const std::vector<double> to = covariance_times(axis_of(c)), at = on(axis_of(c));
      for (size_t k = 0; k < width; ++k) CHECK(std::abs(to[k] - found.spread[c] * axis_of(c)[k]) < 1e-10);
      for (size_t i = 0; i < at.size(); ++i) CHECK(std::abs(scores[i * 5 + c] - at[i]) < 1e-10);
      CHECK(*std::ranges::max_element(axis_of(c), {}, [](double v) { return std::abs(v); }) > 0);
      if (c > 0) CHECK(found.spread[c] <= found.spread[c - 1]);
    }
    // What is at right angles to them spreads no more than the last of them does.
    std::vector<double> other(width, 1);
    for (int round = 0; round < 300; ++round) {
      for (size_t c = 0; c < 5; ++c) {
        const double along = product(other, axis_of(c));
        for (size_t k = 0; k < width; ++k) other[k] -= along * axis_of(c)[k];
      }
      const double length = std::sqrt(product(other, other));
      for (double& v : other) v /= length;
      if (round == 299) CHECK(product(other, covariance_times(other)) <= found.spread[4]);
      other = covariance_times(other);
    }
    CHECK(found.total == doctest::Approx(squares / static_cast<double>(n - 1)).epsilon(1e-10));
    everywhere([&] { CHECK(same(pca(x, 5).scores, found.scores)); });
  }
  const Tensor line = Tensor::from(std::vector<float>{1, 1, 2, 2, 4, 4}, {3, 2});
  const Pca found = pca(line, 3);
  CHECK(found.spread[0] == doctest::Approx(14.0 / 3));
  CHECK(found.spread[1] == 0);
  CHECK(found.scores.values<double>()[1] == 0);
}

namespace {

// Everything of t-SNE by textbook loops.
struct Textbook {
  int64_t n;
  std::vector<double> p;

  Textbook(const Tensor& x, double perplexity) : n(x.shape()[0]), p(static_cast<size_t>(n * n)) {
    std::vector<double> given(p.size());
    for (int64_t i = 0; i < n; ++i) {
      double low = 0, high = 1e12;
      for (int step = 0; step < 200; ++step) {
        const double beta = (low + high) / 2;
        double sum = 0, entropy = 0;
        for (int64_t j = 0; j < n; ++j)
          if (j != i) sum += given[at(i, j)] = std::exp(-beta * true_distance(x, i, j, Metric::euclidean));
        for (int64_t j = 0; j < n; ++j) {
          double& g = given[at(i, j)];
          if (sum > 0) g /= sum;
          if (j != i && g > 0) entropy -= g * std::log(g);
        }
        (sum > 0 && entropy > std::log(perplexity) ? low : high) = beta;
      }
    }
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        p[at(i, j)] = i == j ? 0 : (given[at(i, j)] + given[at(j, i)]) / (2 * static_cast<double>(n));
  }
  size_t at(int64_t i, int64_t j) const { return static_cast<size_t>(i * n + j); }

  static double q(std::span<const double> y, int64_t i, int64_t j) {
    const auto u = static_cast<size_t>(2 * i), v = static_cast<size_t>(2 * j);
    return 1 / (1 + std::pow(y[u] - y[v], 2) + std::pow(y[u + 1] - y[v + 1], 2));
  }
  double all_q(std::span<const double> y) const {
    double all = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        if (i != j) all += q(y, i, j);
    return all;
  }
  double divergence(std::span<const double> y) const {
    double sum = 0;
    const double all = all_q(y);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        if (p[at(i, j)] > 0) sum += p[at(i, j)] * std::log(p[at(i, j)] * all / q(y, i, j));
    return sum;
  }
  void descend(std::vector<double>& y, int64_t steps, int64_t early, double rate) const {
    std::vector<double> speed(y.size()), gain(y.size(), 1), gradient(y.size());
    for (int64_t s = 0; s < steps; ++s) {
      const double all = all_q(y), more = s < early ? 12 : 1, momentum = s < early ? .5 : .8;
      std::ranges::fill(gradient, 0.0);
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
          for (size_t c = 0; i != j && c < 2; ++c) {
            const double near = q(y, i, j);
            gradient[static_cast<size_t>(2 * i) + c] +=
                4 * (more * p[at(i, j)] - near / all) * near *
                (y[static_cast<size_t>(2 * i) + c] - y[static_cast<size_t>(2 * j) + c]);
          }
      for (size_t i = 0; i < y.size(); ++i) {
        gain[i] = std::max(.01, speed[i] * gradient[i] < 0 ? gain[i] + .2 : gain[i] * .8);
        speed[i] = momentum * speed[i] - rate * gain[i] * gradient[i];
        y[i] += speed[i];
      }
    }
  }
};

}  // namespace

TEST_CASE("t-SNE's steps are the textbook's, from affinities of the wanted entropy, over several tiles") {
  const int64_t n = 300;  // a whole block, and a part of one
  const Tensor x = clouds(n, 9);
  const Textbook book(x, 20);
  TsneOptions o{.perplexity = 20, .steps = 0};
  const Tensor from = tsne(x, o).map;
  const auto start = from.values<const double>();
  double square = 0;
  for (size_t i = 0; i < start.size(); i += 2) square += start[i] * start[i];
  CHECK(std::sqrt(square / static_cast<double>(n)) == doctest::Approx(1e-4).epsilon(1e-9));
  std::vector<double> y(start.begin(), start.end());
  // Few steps: what differs in float32 grows from step to step, here as everywhere.
  o = {.perplexity = 20, .steps = 6, .exaggerated = 3};
  book.descend(y, 6, 3, 50);
  const Tsne made = tsne(x, o);
  double largest = 0, worst = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    largest = std::max(largest, std::abs(y[i]));
    worst = std::max(worst, std::abs(y[i] - made.map.values<double>()[i]));
  }
  CHECK(worst < 1e-4 * largest);
  CHECK(made.divergence == doctest::Approx(book.divergence(y)).epsilon(1e-5));
  everywhere([&] { CHECK(same(tsne(x, o).map, made.map)); });
}

TEST_CASE("t-SNE ends in a map that keeps neighbours, whatever the scale, and with any points") {
  const Tensor x = clouds(270, 20, 6, 0.3);
  TsneOptions o{.perplexity = 15, .steps = 400, .exaggerated = 150};
  const Tsne made = tsne(x, o);
  const Neighbours on_map = nearest_neighbours(made.map.to(Dtype::f32), 10, Metric::euclidean);
  CHECK(trustworthiness(x, Metric::euclidean, on_map) > 0.93);
  CHECK(Textbook(x, 15).divergence(made.map.values<const double>()) ==
        doctest::Approx(made.divergence).epsilon(1e-4));
  Tensor far = x.clone();
  for (float& v : far.values<float>()) v *= 0x1p60f;  // a power of two changes no other bit
  CHECK(same(tsne(far, o).map, made.map));
  o.from_noise = true;
  o.seed = 5;
  const Tsne noise = tsne(x, o);
  CHECK(same(tsne(x, o).map, noise.map));
  o.seed = 6;
  CHECK(!same(tsne(x, o).map, noise.map));
  for (const Tensor& points :
       {Tensor::zeros(Dtype::f32, {40, 3}), clouds(3, 2)}) {  // all one point; the fewest
    const Tsne found = tsne(points, {.perplexity = 1.5, .steps = 50});
    for (const double v : found.map.values<const double>()) CHECK(std::isfinite(v));
  }
  CHECK_THROWS_AS(tsne(clouds(31, 2), {.perplexity = 30}), UsageError);
  CHECK_THROWS_AS(tsne(clouds(31, 2), {.perplexity = .5}), UsageError);
  CHECK(tsne_bytes(20'000) < 830'000'000);  // 4 bytes a pair, and what blocks round up
}

TEST_CASE("k-means finds clouds, largest first, and the same ones by a seed") {
  const Tensor x = clouds(400, 8, 4, 0.1);
  const Clusters found = k_means(x, 4, 1);
  std::map<int32_t, std::map<int64_t, int64_t>> met;
  for (size_t i = 0; i < 400; ++i) ++met[found.of[i]][static_cast<int64_t>(i) % 4];
  for (const auto& [cluster, clouds_in_it] : met) CHECK(clouds_in_it.size() == 1);
  CHECK(met.size() == 4);
  double spread = 0;
  for (size_t i = 0; i < 400; ++i)
    for (size_t k = 0; k < 8; ++k)
      spread += std::pow(static_cast<double>(row_of(x, static_cast<int64_t>(i))[k]) -
                             found.centres[static_cast<size_t>(found.of[i]) * 8 + k],
                         2);
  CHECK(found.spread == doctest::Approx(spread).epsilon(1e-9));
  everywhere([&] { CHECK(k_means(x, 4, 1).of == found.of); });
  const Clusters more = k_means(Tensor::from(std::vector<float>{1, 1, 1, 2, 2, 3}, {6, 1}), 5, 1);
  CHECK(more.spread == 0);  // fewer different points than clusters
  CHECK(std::ranges::max(k_means(clouds(9, 2), 9, 3).of) == 8);
  CHECK_THROWS_AS(k_means(x, 401, 1), UsageError);
}

TEST_CASE("what are no vectors is refused in one line") {
  const auto said = [](const Tensor& x) { return error_of([&] { as_floats(x, "'v.npy'"); }); };
  CHECK(contains(said(Tensor::zeros(Dtype::f32, {3})), "'v.npy' is of shape"));
  CHECK(contains(said(Tensor::zeros(Dtype::f32, {0, 3})), "no vectors"));
  CHECK(contains(said(Tensor::zeros(Dtype::i32, {2, 3})), "whole numbers"));
  Tensor x = Tensor::zeros(Dtype::f64, {2, 3});
  x.values<double>()[4] = NAN;
  CHECK(contains(said(x), "NaN in row 1, column 1"));
  x.values<double>()[4] = 1e300;
  CHECK(contains(said(x), "infinite number in row 1, column 1"));
  x.values<double>()[4] = 1.5;
  CHECK(as_floats(x, "").values<float>()[4] == 1.5f);
}

}  // namespace loupe::test
