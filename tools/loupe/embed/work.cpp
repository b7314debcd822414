// From points to a map, and what is known of it.
#include <algorithm>
#include <chrono>

#include "engine/lenses/pca.h"
#include "tools/loupe/embed/embed.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

class Clock {
 public:
  explicit Clock(Embedding& e) : e_(e) {}
  void lap(const std::string& what) {
    const auto now = std::chrono::steady_clock::now();
    e_.seconds.emplace_back(what, std::chrono::duration<double>(now - last_).count());
    last_ = now;
  }

 private:
  Embedding& e_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

Progress saying(const Watch& watch, const std::string& what) {
  watch(what, 0);
  return [watch, what](double part) { watch(what, part); };
}

void make_map(Embedding& e, const Tensor& x, const Watch& watch) {
  if (e.how.by_tsne) {
    const Tsne made = tsne(x, e.how.tsne, saying(watch, "t-SNE"));
    e.map = made.map.to(Dtype::f32);
    e.divergence = made.divergence;
    return;
  }
  watch("principal components", 0);
  const Pca made = pca(x, 2);
  e.map = made.scores.to(Dtype::f32);
  for (size_t c = 0; c < 2; ++c) e.explained[c] = made.total > 0 ? made.spread[c] / made.total : 0;
}

// Clusters, each named by the words nearest to its centre, where there are words.
void make_clusters(Embedding& e, const Tensor& x) {
  const Clusters found = k_means(x, e.how.clusters, e.how.seed);
  const auto dims = static_cast<size_t>(x.shape()[1]);
  e.clusters.of = found.of;
  for (int64_t c = 0; c < e.how.clusters; ++c) {
    std::string name = "cluster " + std::to_string(c + 1);
    if (!e.points.words.empty() && e.points.pictures.empty()) {
      const std::vector<float> centre(found.centres.begin() + c * static_cast<int64_t>(dims),
                                      found.centres.begin() + (c + 1) * static_cast<int64_t>(dims));
      std::string words;
      int64_t some = 0;
      for (const Near& near : nearest_to(x, centre, 30, Metric::euclidean))
        if (found.of[static_cast<size_t>(near.index)] == c && some++ < 3)
          words += (words.empty() ? "" : ", ") + e.points.word(near.index);
      name = std::to_string(c + 1) + ": " + words;
    }
    e.clusters.names.push_back(name);
  }
}

}  // namespace

void check_map(const Points& points, MapChoice& how) {
  const int64_t n = points.count();
  if (n < 3)
    throw UsageError("a map takes three points or more; there " +
                     (n == 1 ? "is one" : "are " + std::to_string(n)));
  how.neighbours = std::min(how.neighbours, (n - 1) / 2);  // what trustworthiness is defined for
  if (how.clusters > n)
    throw UsageError("--clusters " + std::to_string(how.clusters) + ": there are " + std::to_string(n) +
                     " points");
  if (!how.by_tsne) return;
  if (how.tsne.perplexity >= static_cast<double>(n - 1))
    throw UsageError("t-SNE at a perplexity of " + short_number(how.tsne.perplexity) + " takes more than " +
                     with_commas(static_cast<int64_t>(how.tsne.perplexity) + 1) + " points, and there are " +
                     with_commas(n) + ": say a smaller --perplexity, or --map pca");
  if (tsne_bytes(n) > how.memory)
    throw UsageError("exact t-SNE of " + with_commas(n) + " points keeps " + short_bytes(tsne_bytes(n)) +
                     " of affinities, more than --memory allows (" + short_bytes(how.memory) +
                     "): allow it, or say --map pca");
}

Embedding embed(Points points, const MapChoice& how, const Watch& watch) {
  Embedding e{.points = std::move(points), .how = how};
  Clock clock(e);
  const Tensor x = how.metric == Metric::cosine ? unit_rows(e.points.vectors) : e.points.vectors;
  make_map(e, x, watch);
  clock.lap(how.by_tsne ? "tsne" : "pca");
  e.near = nearest_neighbours(e.points.vectors, how.neighbours, how.metric, saying(watch, "neighbours"));
  clock.lap("neighbours");
  e.on_map =
      nearest_neighbours(e.map, how.neighbours, Metric::euclidean, saying(watch, "neighbours on the map"));
  clock.lap("neighbours_on_map");
  e.trust = trustworthiness(e.points.vectors, how.metric, e.on_map, saying(watch, "trustworthiness"));
  e.recall = neighbour_recall(e.near, e.on_map);
  clock.lap("trustworthiness");
  if (!e.points.labels.empty()) {
    e.labels = grouped(e.points.labels);
    e.purity = label_purity(e.near, e.labels.of);
    e.purity_on_map = label_purity(e.on_map, e.labels.of);
  }
  if (how.clusters > 0) {
    watch("clusters", 0);
    make_clusters(e, x);
    clock.lap("clusters");
  }
  watch("writing", 0);
  return e;
}

}  // namespace loupe
