// Shapley value sampling: segments appear one after another in random orders; what each adds as it comes, on average, is
// its Shapley value.
#include "engine/methods/shapley_value_sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/methods/baseline.h"
#include "engine/methods/coalitions.h"

namespace loupe {
namespace {

constexpr int64_t kSamples = 25;

using Orders = std::vector<std::vector<int64_t>>;

Orders orders_of(int64_t segments, const ShapleyOptions& o) {
  if (o.samples < 1)
    throw UsageError("shapley_value_sampling takes at least 1 order, not " + std::to_string(o.samples));
  if (o.antithetic && o.samples % 2 != 0)
    throw UsageError("shapley_value_sampling: antithetic orders come in pairs, " + std::to_string(o.samples) +
                     " is odd");
  Orders orders;
  std::vector<double> numbers(static_cast<size_t>(segments));
  for (int64_t s = 0; s < o.samples; ++s) {
    if (o.antithetic && s % 2 == 1) {
      orders.emplace_back(orders.back().rbegin(), orders.back().rend());
      continue;
    }
    o.draws.uniforms("shapley_value_sampling.order." + std::to_string(s), numbers);
    orders.push_back(order_of(numbers));
  }
  return orders;
}

// Of one image: the mean of what each segment adds, and its standard error.
struct Shares {
  std::vector<double> mean, error;
};

Shares shares_of(const Orders& orders, int64_t together, double none, double whole,
                 std::span<const double> prefixes) {
  const size_t n = orders[0].size();
  Shares shares{std::vector<double>(n, 0.0), std::vector<double>(n, 0.0)};
  std::vector<double> added(n, 0.0);
  double samples = 0;
  for (size_t s = 0; s < orders.size(); ++s) {
    double before = none;
    for (size_t k = 0; k < n; ++k) {
      const double after = k + 1 < n ? prefixes[s * (n - 1) + k] : whole;
      added[static_cast<size_t>(orders[s][k])] += (after - before) / static_cast<double>(together);
      before = after;
    }
    if ((static_cast<int64_t>(s) + 1) % together != 0) continue;
    ++samples;
    for (size_t j = 0; j < n; ++j) {  // Welford 1962: no large squares that cancel
      const double off = added[j] - shares.mean[j];
      shares.mean[j] += off / samples;
      shares.error[j] += off * (added[j] - shares.mean[j]);
      added[j] = 0;
    }
  }
  for (double& e : shares.error) e = std::sqrt(e / (samples * (samples - 1)));
  return shares;
}

}  // namespace

ShapleyResult shapley_value_sampling(Network& net, const Tensor& x, const Segments& segments,
                                     const ShapleyOptions& options) {
  const Orders orders = orders_of(segments.count, options);
  const int64_t between = segments.count - 1, together = options.antithetic ? 2 : 1;
  const CoalitionJob job{net, x, options.baseline, segments, options.target, options.progress};
  const CoalitionScores found =
      job.run(options.samples * between, [&](int64_t row, std::span<uint8_t> present) {
        const std::vector<int64_t>& order = orders[static_cast<size_t>(row / between)];
        for (int64_t k = 0; k <= row % between; ++k)
          present[static_cast<size_t>(order[static_cast<size_t>(k)])] = 1;
      });
  ShapleyResult result;
  std::vector<double> means, errors;
  for (size_t image = 0; image < found.whole.size(); ++image) {
    const auto prefixes = static_cast<size_t>(options.samples * between);
    const double none = found.none[image], whole = found.whole[image];
    const Shares shares =
        shares_of(orders, together, none, whole, std::span(found.values).subspan(image * prefixes, prefixes));
    means.insert(means.end(), shares.mean.begin(), shares.mean.end());
    errors.insert(errors.end(), shares.error.begin(), shares.error.end());
    result.residuals.push_back(std::accumulate(shares.mean.begin(), shares.mean.end(), 0.0) - (whole - none));
  }
  const Dtype type = net.device().compute_dtype();
  result.attribution = maps_of(segments, means, type);
  if (options.samples > together) result.standard_error = maps_of(segments, errors, type);
  return result;
}

namespace {
std::vector<OptionSpec> all_options() {
  std::vector<OptionSpec> options = segment_options();
  options.push_back({"samples", kSamples, "orders in which the segments appear", 1, 1 << 20});
  options.push_back(
      {"antithetic", std::string("no"), "yes: every second order is the one before it, reversed"});
  options.push_back(noise_option());
  return options;
}

ShapleyOptions options_of(const Options& o) {
  const std::string& antithetic = o.text("antithetic");
  if (antithetic != "yes" && antithetic != "no")
    throw UsageError("--shapley_value_sampling.antithetic is yes or no, not '" + antithetic + "'");
  if (antithetic == "yes" && o.integer("samples") % 2 != 0)
    throw UsageError("--shapley_value_sampling.samples is even where orders come in pairs, not " +
                     std::to_string(o.integer("samples")));
  return {.samples = o.integer("samples"),
          .antithetic = antithetic == "yes",
          .draws = Draws(o.text("noise"), "--shapley_value_sampling.noise")};
}
}  // namespace

extern const Method shapley_value_sampling_method;
const Method shapley_value_sampling_method{
    .name = "shapley_value_sampling",
    .summary = "Shapley values of segments: what each adds as they appear in random orders",
    .source = "Castro, Gomez & Tejada 2009; Strumbelj & Kononenko 2010",
    .options = all_options(),
    .unsuited = [](const ImageModel&, const Shape& input, const Options& o) -> std::optional<std::string> {
      check_segment_options(input, o);
      options_of(o);
      return std::nullopt;
    },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const Segments segments = segments_of(q, o, "shapley_value_sampling");
      ShapleyOptions options = options_of(o);
      options.target = q.target;
      options.baseline = segment_baseline(q, o, "shapley_value_sampling", options.draws);
      options.progress = q.progress;
      const ShapleyResult r = shapley_value_sampling(q.model, q.input, segments, options);
      Explanation found{
          {{"shapley_value_sampling", r.attribution.row(0), segments.picture(),
            "What each segment adds to the score on average as it comes: red for the class, blue against "
            "it. It all adds up to the score less that of the baseline."}},
          {{"shapley_value_sampling_residual", r.residuals[0],
            "sum of all shares minus the difference of the scores: rounding alone"}}};
      if (!r.standard_error.defined()) return found;
      double largest = 0;
      for (int64_t i = 0; i < r.standard_error.numel(); ++i)
        largest = std::max(largest, r.standard_error.item(i));
      found.checks.push_back(
          {"shapley_value_sampling_error", largest,
           "the largest standard error of a segment's share: four times as many orders halve it"});
      found.numbers.push_back({"shapley_value_sampling.standard_error", r.standard_error.row(0)});
      return found;
    },
    .fit = [](const ImageModel&, const Shape& input, Options& o) { fit_segments(input, o, kSamples); },
    .costly = true};

}  // namespace loupe
