// ROAD: grey squares and missing pixels have shapes, which a network may read; imputed ones hardly do.
#include "engine/exam/road.h"

#include <algorithm>
#include <exception>

#include "engine/exam/metric.h"
#include "engine/run/passes.h"
#include "engine/run/probability.h"
#include "kernels/common/parallel.h"

namespace loupe {

double Road::accuracy() const {
  return static_cast<double>(std::ranges::count(right, true)) / static_cast<double>(right.size());
}

std::vector<double> road_fractions() { return {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}; }

Road road(Network& net, const Tensor& x, int64_t cls, const Plane& map, const std::vector<double>& fractions,
          double noise, const Draws& draws) {
  expect_images(net, x);
  const std::vector<int64_t> order = most_relevant_first(map);
  const Tensor pictures(x.dtype(), x.shape().with(0, std::ssize(fractions)));
  // The systems are independent of each other; errors may not leave a thread.
  std::vector<std::exception_ptr> errors(fractions.size());
  parallel_for(std::ssize(fractions), [&](int64_t i) {
    try {
      const auto gone =
          static_cast<size_t>(fractions[static_cast<size_t>(i)] * static_cast<double>(order.size()));
      copy_rows(impute(x, std::span(order).first(std::min(gone, order.size())), noise, draws), pictures, i);
    } catch (...) {
      errors[static_cast<size_t>(i)] = std::current_exception();
    }
  });
  for (const std::exception_ptr& e : errors)
    if (e) std::rethrow_exception(e);

  Road found{.fractions = fractions};
  in_batches(net, x.shape(), std::ssize(fractions), {.values = {net.graph().output()}}, {},
             [&](int64_t begin, int64_t end) {
               const Tensor logits = net.logits(pictures.slice(begin, end)).to(Dtype::f64);
               const std::vector<int64_t> likeliest = Target(top1).classes(logits);
               for (int64_t row = 0; row < end - begin; ++row) {
                 found.right.push_back(likeliest[static_cast<size_t>(row)] == cls);
                 found.probability.push_back(class_probability(logits.row(row).values<double>(), cls));
               }
             });
  return found;
}

extern const Metric road_metric;
const Metric road_metric{
    .name = "road",
    .heading = "ROAD",
    .place = 10,
    .summary =
        "how often the class is still named, the most relevant 10 to 90 % of pixels imputed; low is good",
    .source =
        "Rong, Leemann, Borisov, Kasneci & Kasneci 2022, A consistent and efficient evaluation strategy for "
        "attribution methods",
    .better = Metric::Better::lower,
    .costly = true,
    .standard = false,
    .score = [](const Trial& t) -> std::optional<Score> {
      return Score{
          road(t.network, t.scene.input, t.scene.objects.at(0).cls, t.map(0), road_fractions()).accuracy()};
    }};

}  // namespace loupe
