// Loupe's half of bench/peers/quantus.py: metrics of engine/exam on given pictures and maps, with the time they take.
//
//   peer_exam FILE METRIC   FILE: safetensors with x (N, 3, H, W), maps (N, 3, H, W), mask (N, H, W), classes (N, int32)
//
// prints one line of JSON: {"seconds": s, "values": [N numbers]}. Everything runs once before it is timed.
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/exam/complexity.h"
#include "engine/exam/imputation.h"
#include "engine/exam/infidelity.h"
#include "engine/exam/localisation_auc.h"
#include "engine/exam/max_sensitivity.h"
#include "engine/exam/perturbation.h"
#include "engine/exam/sparseness.h"
#include "engine/methods/gradient.h"
#include "kernels/common/parallel.h"
#include "models/io/safetensors.h"
#include "models/models.h"

namespace {

using namespace loupe;

constexpr int64_t kSteps = 48, kPatch = 8, kNeighbours = 20;
constexpr double kRadius = 0.2;

struct Data {
  // Scores of changed pictures by Winograd's convolutions, as evaluate() has them; maps by the direct sum.
  ImageModel scores = models::load("zoo", {}, Device::cpu(), {}, {.winograd = true});
  ImageModel net = models::load("zoo", {}, Device::cpu());
  Tensor x, maps, mask, classes;
  int64_t count() const { return x.shape()[0]; }
  int64_t cls(int64_t n) const { return static_cast<int64_t>(classes.item(n)); }
};

// All three channels' values, each a feature of its own; or their sum.
Plane values_of(const Tensor& map) {
  Plane p{map.shape()[0] * map.shape()[1], map.shape()[2], {}};
  for (int64_t i = 0; i < map.numel(); ++i) p.values.push_back(map.item(i));
  return p;
}
Plane sums_of(const Tensor& map) { return reduce_channels(map, false); }

double pixel_flipping(Data& d, int64_t n) {
  const Tensor x = d.x.slice(n, n + 1);
  Curve curve =
      turning(d.scores, x, Tensor::zeros(x.dtype(), x.shape()), d.cls(n), values_of(d.maps.row(n)), kSteps);
  curve.probability.erase(
      curve.probability.begin());  // Quantus begins after the first step, and counts steps as 1
  return curve.area() * static_cast<double>(curve.probability.size() - 1);
}

// Quantus's squares: side by side in rows, those that went stay away. Its map times what changed is the map of shares.
double infidelity_of_squares_so_far(Data& d, int64_t n) {
  const int64_t height = d.x.shape()[2], width = d.x.shape()[3];
  std::vector<PixelSet> sets;
  PixelSet gone;
  for (int64_t top = 0; top < height; top += kPatch)
    for (int64_t left = 0; left < width; left += kPatch) {
      for (int64_t y = top; y < top + kPatch; ++y)
        for (int64_t x = left; x < left + kPatch; ++x) gone.push_back(static_cast<int32_t>(y * width + x));
      sets.push_back(gone);
    }
  const Removals removals = remove(d.scores, d.x.slice(n, n + 1), d.cls(n), std::move(sets));
  const Tensor shares(Dtype::f64, d.maps.row(n).shape());
  for (int64_t i = 0; i < shares.numel(); ++i)
    shares.values<double>()[static_cast<size_t>(i)] = d.maps.row(n).item(i) * d.x.row(n).item(i);
  return infidelity(sums_over(sums_of(shares), removals.sets), removals.drops).raw;
}

double max_sensitivity_of_gradient(Data& d, int64_t n) {
  const Tensor x = d.x.slice(n, n + 1), around = neighbourhood(x, kRadius, kNeighbours);
  const Tensor gradients = gradient(d.net, around, {.target = d.cls(n)});
  std::vector<Plane> maps;
  for (int64_t k = 0; k < kNeighbours; ++k) maps.push_back(values_of(gradients.row(k)));
  return max_sensitivity(values_of(gradient(d.net, x, {.target = d.cls(n)}).row(0)), maps).value();
}

// The mean of half of the pixels, imputed without noise.
double imputation(Data& d, int64_t n) {
  const std::vector<int64_t> order = most_relevant_first(sums_of(d.maps.row(n)));
  const Tensor filled =
      impute(d.x.slice(n, n + 1).to(Dtype::f64), std::span(order).first(order.size() / 2), 0);
  double sum = 0;
  for (int64_t i = 0; i < filled.numel(); ++i) sum += filled.item(i) * filled.item(i);
  return sum / static_cast<double>(filled.numel());
}

double of_map(Data& d, const std::string& metric, int64_t n) {
  const Plane map = sums_of(d.maps.row(n));
  if (metric == "sparseness") return sparseness(map);
  if (metric == "complexity") return complexity(map);
  Region object{map.height, map.width, {}};
  for (const uint8_t v : d.mask.row(n).values<const uint8_t>()) object.inside.push_back(v);
  return localisation_auc(map, object).value();
}

std::vector<double> all(Data& d, const std::string& metric) {
  std::vector<double> values(static_cast<size_t>(d.count()));
  const auto each = [&](const auto& body) {
    for (int64_t n = 0; n < d.count(); ++n) values[static_cast<size_t>(n)] = body(n);
  };
  // The network uses all threads by itself; what is of the map alone shares out the pictures.
  if (metric == "pixel_flipping")
    each([&](int64_t n) { return pixel_flipping(d, n); });
  else if (metric == "infidelity")
    each([&](int64_t n) { return infidelity_of_squares_so_far(d, n); });
  else if (metric == "max_sensitivity")
    each([&](int64_t n) { return max_sensitivity_of_gradient(d, n); });
  else if (metric == "road_imputation")
    parallel_for(d.count(), [&](int64_t n) { values[static_cast<size_t>(n)] = imputation(d, n); });
  else if (metric == "sparseness" || metric == "complexity" || metric == "localisation_auc")
    parallel_for(d.count(), [&](int64_t n) { values[static_cast<size_t>(n)] = of_map(d, metric, n); });
  else
    throw UsageError("peer_exam knows no metric '" + metric + "'");
  return values;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw UsageError("peer_exam FILE METRIC");
  const SafetensorsFile file = SafetensorsFile::open(argv[1]);
  Data data{.x = file.tensor("x"),
            .maps = file.tensor("maps"),
            .mask = file.tensor("mask"),
            .classes = file.tensor("classes")};
  all(data, argv[2]);
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<double> values = all(data, argv[2]);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%s\n", nlohmann::json{{"seconds", seconds}, {"values", values}}.dump().c_str());
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "peer_exam: %s\n", e.what());
  return 1;
}
