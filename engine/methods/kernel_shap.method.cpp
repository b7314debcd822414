// KernelSHAP: what coalitions of segments score is explained by a sum of shares, one a segment; under the right weights
// these shares are the Shapley values.
#include "engine/methods/kernel_shap.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/methods/baseline.h"
#include "engine/methods/coalitions.h"
#include "engine/methods/regression.h"

namespace loupe {
namespace {

constexpr int64_t kSamples = 256;

constexpr int64_t kMostForAll = 16;

struct Coalitions {
  std::vector<uint8_t> members;  // (count, segments)
  std::vector<double> weights;   // (count)
};

Coalitions drawn(int64_t segments, int64_t samples, const Draws& draws) {
  std::vector<double> up_to;  // up_to[i]: the probability of at most i + 1 members, times their sum
  double sum = 0;
  for (int64_t k = 1; k < segments; ++k)
    up_to.push_back(sum += 1.0 / static_cast<double>(k * (segments - k)));
  Coalitions c{.members = std::vector<uint8_t>(static_cast<size_t>(samples * segments), 0),
               .weights = std::vector<double>(static_cast<size_t>(samples), 1.0)};
  std::vector<double> numbers(static_cast<size_t>(segments));
  for (int64_t s = 0; s < samples; ++s) {
    const double u = draws.uniform("kernel_shap.size", s) * sum;
    const int64_t size = std::min(1 + (std::ranges::upper_bound(up_to, u) - up_to.begin()), segments - 1);
    draws.uniforms("kernel_shap.member." + std::to_string(s), numbers);
    const std::vector<int64_t> order = order_of(numbers);
    for (int64_t i = 0; i < size; ++i)
      c.members[static_cast<size_t>(s * segments + order[static_cast<size_t>(i)])] = 1;
  }
  return c;
}

// Every coalition but none and all, with the weight (n − 1)/(C(n, k) k (n − k)) of its size k.
Coalitions every(int64_t segments) {
  Coalitions c;
  const auto n = static_cast<double>(segments);
  for (uint64_t bits = 1; bits + 1 < uint64_t{1} << segments; ++bits) {
    const double k = std::popcount(bits);
    const double ways =
        std::round(std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1)));
    c.weights.push_back((n - 1) / (ways * k * (n - k)));
    for (int64_t j = 0; j < segments; ++j) c.members.push_back(bits >> j & 1);
  }
  return c;
}

void expect_few_enough(const Segments& segments, const KernelShapOptions& o) {
  const std::string count = std::to_string(segments.count);
  if (segments.count < 2)
    throw UsageError("kernel_shap shares a score out among segments: one segment alone has all of it");
  if (segments.count > kMostColumns)
    throw UsageError("kernel_shap: " + count + " segments are more than the " + std::to_string(kMostColumns) +
                     " that its regression takes");
  if (o.all_coalitions && segments.count > kMostForAll)
    throw UsageError("kernel_shap: all coalitions are asked of at most " + std::to_string(kMostForAll) +
                     " segments, not of " + count);
  if (o.samples < 1)
    throw UsageError("kernel_shap draws at least 1 coalition, not " + std::to_string(o.samples));
}

}  // namespace

KernelShapResult kernel_shap(Network& net, const Tensor& x, const Segments& segments,
                             const KernelShapOptions& options) {
  expect_few_enough(segments, options);
  const Coalitions c =
      options.all_coalitions ? every(segments.count) : drawn(segments.count, options.samples, options.draws);
  const auto n = static_cast<size_t>(segments.count), count = c.weights.size();
  const CoalitionJob job{net, x, options.baseline, segments, options.target, options.progress};
  const CoalitionScores found = job.run(std::ssize(c.weights), [&](int64_t s, std::span<uint8_t> present) {
    std::copy_n(c.members.begin() + s * segments.count, n, present.begin());
  });
  KernelShapResult result;
  std::vector<double> shares;
  for (size_t image = 0; image < found.whole.size(); ++image) {
    const std::span<const double> values = std::span(found.values).subspan(image * count, count);
    const LinearFit fit = fit_shares({segments.count, c.members, c.weights, values}, found.none[image],
                                     found.whole[image] - found.none[image]);
    shares.insert(shares.end(), fit.coefficients.begin(), fit.coefficients.end());
    result.explained.push_back(fit.explained);
    result.unique = fit.unique;
  }
  const Dtype type = net.device().compute_dtype();
  result.attribution = maps_of(segments, shares, type);
  result.value = Tensor::from(found.values, {x.shape()[0], std::ssize(c.weights)}).to(type);
  return result;
}

namespace {
KernelShapOptions options_of(const Options& o) {
  const std::string& which = o.text("coalitions");
  if (which != "drawn" && which != "all")
    throw UsageError("--kernel_shap.coalitions is drawn or all, not '" + which + "'");
  return {.samples = o.integer("samples"),
          .all_coalitions = which == "all",
          .draws = Draws(o.text("noise"), "--kernel_shap.noise")};
}

std::vector<OptionSpec> all_options() {
  std::vector<OptionSpec> options = segment_options();
  options.push_back({"samples", kSamples, "coalitions that are drawn", 1, 1 << 24});
  options.push_back({"coalitions", std::string("drawn"),
                     "drawn by the kernel; or all, of at most 16 segments: exact Shapley values"});
  options.push_back(noise_option());
  return options;
}
}  // namespace

extern const Method kernel_shap_method;
const Method kernel_shap_method{
    .name = "kernel_shap",
    .summary = "Shapley values of segments: a regression over coalitions of them",
    .source = "Lundberg & Lee 2017, A unified approach to interpreting model predictions",
    .options = all_options(),
    .unsuited = [](const ImageModel&, const Shape& input, const Options& o) -> std::optional<std::string> {
      check_segment_options(input, o);
      options_of(o);
      return std::nullopt;
    },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const Segments segments = segments_of(q, o, "kernel_shap");
      KernelShapOptions options = options_of(o);
      options.target = q.target;
      options.baseline = segment_baseline(q, o, "kernel_shap", options.draws);
      options.progress = q.progress;
      const KernelShapResult r = kernel_shap(q.model, q.input, segments, options);
      Explanation found{
          {{"kernel_shap", r.attribution.row(0), segments.picture(),
            "Each segment's share of the score: red for the class, blue against it. They add up to the "
            "score less that of the baseline."}},
          {{"kernel_shap_explained", r.explained[0],
            "how much of what the coalitions scored a sum of shares explains, 1 at most (R²): where it "
            "is low, segments matter together rather than one by one"}}};
      if (!r.unique)
        found.notes.emplace_back(
            "So few coalitions do not settle the shares; of those that fit as well, these differ least.");
      found.numbers.push_back({"kernel_shap.value", r.value.row(0)});
      return found;
    },
    .fit = [](const ImageModel&, const Shape& input, Options& o) { fit_segments(input, o, kSamples); },
    .costly = true};

}  // namespace loupe
