// LIME: segments are hidden at random, half of them at a time; a linear model of the scores, in which pictures more like
// the whole one weigh more, tells what each is worth.
#include "engine/methods/lime.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/methods/baseline.h"
#include "engine/methods/coalitions.h"
#include "engine/methods/regression.h"

namespace loupe {
namespace {

constexpr int64_t kSamples = 256;

void expect_sound(const Segments& segments, const LimeOptions& o) {
  if (segments.count > kMostColumns)
    throw UsageError("lime: " + std::to_string(segments.count) + " segments are more than the " +
                     std::to_string(kMostColumns) + " that its regression takes");
  if (o.samples < 1) throw UsageError("lime takes at least 1 sample, not " + std::to_string(o.samples));
  if (!(o.kernel_width > 0) || !(o.ridge > 0) || !std::isfinite(o.kernel_width) || !std::isfinite(o.ridge))
    throw UsageError("lime: the kernel's width and the ridge are positive numbers");
}

double weight(std::span<const uint8_t> present, double kernel_width) {
  const double share =
      std::accumulate(present.begin(), present.end(), 0.0) / static_cast<double>(present.size());
  const double d = (1 - std::sqrt(share)) / kernel_width;
  return std::sqrt(std::exp(-d * d));
}

}  // namespace

LimeResult lime(Network& net, const Tensor& x, const Segments& segments, const LimeOptions& options) {
  expect_sound(segments, options);
  const auto n = static_cast<size_t>(segments.count), count = static_cast<size_t>(options.samples);
  std::vector<double> draws(n * count), weights;
  options.draws.uniforms("lime.member", draws);
  std::vector<uint8_t> members;
  for (const double u : draws) members.push_back(u < 0.5);
  const auto row = [&](int64_t s) { return std::span<const uint8_t>(members).subspan(s * n, n); };
  for (int64_t s = 0; s < options.samples; ++s) weights.push_back(weight(row(s), options.kernel_width));
  if (std::ranges::all_of(weights, [](double w) { return w == 0; }))
    throw UsageError("lime: a kernel so narrow gives every sample the weight 0");

  const CoalitionJob job{net, x, options.baseline, segments, options.target, options.progress};
  const CoalitionScores found = job.run(options.samples, [&](int64_t s, std::span<uint8_t> present) {
    std::ranges::copy(row(s), present.begin());
  });
  LimeResult result;
  std::vector<double> slopes, intercepts;
  for (size_t image = 0; image < found.whole.size(); ++image) {
    const LinearFit fit =
        fit_ridge({segments.count, members, weights, std::span(found.values).subspan(image * count, count)},
                  options.ridge);
    slopes.insert(slopes.end(), fit.coefficients.begin(), fit.coefficients.end());
    intercepts.push_back(fit.intercept);
    result.explained.push_back(fit.explained);
  }
  const Dtype type = net.device().compute_dtype();
  result.attribution = maps_of(segments, slopes, type);
  result.value = Tensor::from(found.values, {x.shape()[0], options.samples}).to(type);
  result.intercept = Tensor::from(intercepts, {x.shape()[0]}).to(type);
  return result;
}

namespace {
std::vector<OptionSpec> all_options() {
  std::vector<OptionSpec> options = segment_options();
  options.push_back({"samples", kSamples, "pictures with about half of the segments", 1, 1 << 24});
  options.push_back({"kernel_width", 0.25,
                     "how far from the whole picture, by the cosine of what is there, a sample still counts",
                     1e-3, 1e6});
  options.push_back({"ridge", 1.0, "the factor of the penalty on large slopes", 1e-12, 1e12});
  options.push_back(noise_option());
  return options;
}
}  // namespace

extern const Method lime_method;
const Method lime_method{
    .name = "lime",
    .summary = "a linear model of the score, by which segments are there",
    .source =
        "Ribeiro, Singh & Guestrin 2016, \"Why should I trust you?\" Explaining the predictions of any "
        "classifier",
    .options = all_options(),
    .unsuited = [](const ImageModel&, const Shape& input, const Options& o) -> std::optional<std::string> {
      check_segment_options(input, o);
      Draws(o.text("noise"), "--lime.noise");
      return std::nullopt;
    },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const Segments segments = segments_of(q, o, "lime");
      const Draws draws(o.text("noise"), "--lime.noise");
      const LimeResult r = lime(q.model, q.input, segments,
                                {.target = q.target,
                                 .samples = o.integer("samples"),
                                 .kernel_width = o.number("kernel_width"),
                                 .ridge = o.number("ridge"),
                                 .draws = draws,
                                 .baseline = segment_baseline(q, o, "lime", draws),
                                 .progress = q.progress});
      return {{{"lime", r.attribution.row(0), segments.picture(),
                "The slope of a linear model of the score: red where the segment's presence raises it, blue "
                "where it "
                "lowers it."}},
              {{"lime_explained", r.explained[0],
                "how much of the samples' scores the linear model explains, 1 at most (weighted R²): where "
                "it is low, "
                "the slopes tell little"}},
              {},
              {{"lime.value", r.value.row(0)}, {"lime.intercept", r.intercept}}};
    },
    .fit = [](const ImageModel&, const Shape& input, Options& o) { fit_segments(input, o, kSamples); },
    .costly = true};

}  // namespace loupe
