// What exact neighbours and exact t-SNE cost, of points drawn from a normal distribution, which is the hardest case:
// there are no clusters.
//
//   build/release/bin/lenses_cost [POINTS] [DIMENSIONS] [POINTS OF T-SNE]      50000 384 5000
//
// The load of the machine is printed, which others may share.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "engine/lenses/map_quality.h"
#include "engine/lenses/tsne.h"
#include "kernels/common/draws.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

double seconds_of(const auto& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Tensor normal_points(int64_t n, int64_t dims) {
  std::vector<double> drawn(static_cast<size_t>(n * dims));
  Draws().normals("points", drawn);
  return Tensor::from(std::span<const double>(drawn), {n, dims}).to(Dtype::f32);
}

double load() {
  double all[1] = {0};
  return ::getloadavg(all, 1) == 1 ? all[0] : -1;
}

void run(int64_t n, int64_t dims, int64_t map_points) {
  const Tensor x = normal_points(n, dims);
  std::printf("%d threads, load of the machine before %.2f\n", max_threads(), load());
  for (const Metric metric : {Metric::euclidean, Metric::cosine}) {
    const double s = seconds_of([&] { nearest_neighbours(x, 10, metric); });
    const double products = 2 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(dims);
    std::printf("10 nearest of %lld x %lld, %-9s %6.2f s   %6.1f GFLOP/s in all\n", static_cast<long long>(n),
                static_cast<long long>(dims), std::string(metric_name(metric)).c_str(), s,
                products / s / 1e9);
  }
  const Tensor few = x.slice(0, std::min(n, map_points));
  constexpr int64_t kSteps = 100;
  Tsne made;
  const double s = seconds_of([&] { made = tsne(few, {.steps = kSteps}); });
  std::printf("t-SNE of %lld x %lld, %lld steps    %6.2f s   %6.1f MiB of affinities\n",
              static_cast<long long>(few.shape()[0]), static_cast<long long>(dims),
              static_cast<long long>(kSteps), s, static_cast<double>(tsne_bytes(few.shape()[0])) / (1 << 20));
}

}  // namespace
}  // namespace loupe

int main(int argc, char** argv) {
  const auto number = [&](int i, int64_t otherwise) { return argc > i ? std::atoll(argv[i]) : otherwise; };
  loupe::run(number(1, 50'000), number(2, 384), number(3, 5'000));
}
