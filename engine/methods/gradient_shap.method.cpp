// GradientSHAP: gradients at random points between the picture and random baselines, each times the difference.
#include "engine/methods/gradient_shap.h"

#include <algorithm>
#include <cmath>

#include "engine/methods/baseline.h"
#include "engine/run/method.h"

namespace loupe {

namespace {
// Sample s of every image.
struct Sample {
  double alpha;
  size_t baseline;
};

class Samples {
 public:
  Samples(const Tensor& x, const GradientShapOptions& o) : x_(x.to(Dtype::f64)), options_(o) {
    const Shape one = x.shape().with(0, 1);
    for (const Tensor& b : o.baselines) {
      if (b.shape() != one)
        throw UsageError("a baseline of GradientSHAP is " + b.shape().str() + ", but an image is " +
                         one.str());
      baselines_.push_back(b.to(Dtype::f64));
    }
    if (baselines_.empty()) baselines_.push_back(Tensor::zeros(Dtype::f64, one));
    const auto count = static_cast<double>(baselines_.size());
    for (int64_t s = 0; s < o.samples; ++s) {
      const double u = o.draws.uniform("gradient_shap.baseline", s);
      chosen_.push_back({o.draws.uniform("gradient_shap.alpha", s),
                         std::min(static_cast<size_t>(count * u), baselines_.size() - 1)});
    }
  }

  const std::vector<Tensor>& baselines() const { return baselines_; }
  const Sample& operator[](int64_t s) const { return chosen_[static_cast<size_t>(s)]; }

  /// x_s − b_s of row n·samples + s, and the point between them.
  Tensor difference(int64_t row) const {
    const int64_t image = row / options_.samples, s = row % options_.samples;
    Tensor d = x_.row(image).clone();
    const auto v = d.values<double>();
    if (options_.sigma > 0) {
      const auto [low, high] = std::ranges::minmax_element(v);
      const double deviation = options_.sigma * (*high - *low);
      std::vector<double> noise(v.size());
      options_.draws.normals("gradient_shap.noise." + std::to_string(s), noise);
      for (size_t i = 0; i < v.size(); ++i) v[i] += deviation * noise[i];
    }
    const auto b = baselines_[(*this)[s].baseline].values<const double>();
    for (size_t i = 0; i < v.size(); ++i) v[i] -= b[i];
    return d;
  }
  Tensor points(int64_t begin, int64_t end) const {
    const Tensor all(Dtype::f32, x_.shape().with(0, end - begin));
    for (int64_t row = begin; row < end; ++row) {
      const Sample& s = (*this)[row % options_.samples];
      const Tensor d = difference(row);
      const auto from = d.values<const double>(), b = baselines_[s.baseline].values<const double>();
      const auto to = all.row(row - begin).values<float>();
      for (size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(b[i] + s.alpha * from[i]);
    }
    return all;
  }

 private:
  Tensor x_;
  const GradientShapOptions& options_;
  std::vector<Tensor> baselines_;
  std::vector<Sample> chosen_;
};

// Scores and what the baselines' are on the average; F of a baseline is asked for once an image.
void add_scores(Network& net, const Tensor& x, const Target& target, const Samples& samples, int64_t count,
                GradientShapResult& result) {
  const auto kinds = static_cast<int64_t>(samples.baselines().size());
  const auto rows = [&](int64_t begin, int64_t end) {
    std::vector<Tensor> list;
    for (int64_t r = begin; r < end; ++r) {
      const int64_t image = r / (kinds + 1), k = r % (kinds + 1);
      list.push_back(k == 0 ? x.slice(image, image + 1).to(Dtype::f64)
                            : samples.baselines()[static_cast<size_t>(k - 1)]);
    }
    return stack_rows(list);
  };
  const std::vector<double> scores =
      forward_scores(net, x.shape(), x.shape()[0] * (kinds + 1), rows, target.repeated(kinds + 1)).scores;
  for (int64_t n = 0; n < x.shape()[0]; ++n) {
    const double* of_image = scores.data() + n * (kinds + 1);
    result.scores.push_back(of_image[0]);
    result.expected.push_back(0);
    for (int64_t s = 0; s < count; ++s)
      result.expected.back() += of_image[1 + samples[s].baseline] / static_cast<double>(count);
  }
}
}  // namespace

GradientShapResult gradient_shap(Network& net, const Tensor& x, const GradientShapOptions& o) {
  expect_images(net, x);
  if (o.samples < 1)
    throw UsageError("GradientSHAP needs at least one sample, not " + std::to_string(o.samples));
  if (!(o.sigma >= 0) || std::isinf(o.sigma))
    throw UsageError("GradientSHAP's sigma is a number of at least 0, not " + std::to_string(o.sigma));
  const Samples samples(x, o);
  const Target target = settled(net, x, o.target);
  GradientShapResult result;
  add_scores(net, x, target, samples, o.samples, result);
  const Tensor sums = Tensor::zeros(Dtype::f64, x.shape());
  const NodeId input = net.graph().inputs()[0];
  ScorePass pass{net, x.shape(), {.gradients = {input}}, target.repeated(o.samples), o.probe, o.progress};
  pass.run(
      x.shape()[0] * o.samples, [&](int64_t begin, int64_t end) { return samples.points(begin, end); },
      [&](Execution& e, int64_t begin) {
        const Tensor gradients = e.gradient(input);
        with_float_type(gradients.dtype(), [&]<typename T>(T) {
          for (int64_t r = 0; r < gradients.shape()[0]; ++r) {
            const Tensor difference = samples.difference(begin + r);
            const auto g = gradients.row(r).values<const T>();
            const auto d = difference.values<const double>();
            const auto sum = sums.row((begin + r) / o.samples).values<double>();
            for (size_t i = 0; i < sum.size(); ++i) sum[i] += d[i] * g[i];
          }
        });
      });
  for (int64_t n = 0; n < x.shape()[0]; ++n) {
    double total = 0;
    for (double& v : sums.row(n).values<double>()) total += v /= static_cast<double>(o.samples);
    const auto at = static_cast<size_t>(n);
    result.residuals.push_back(total - (result.scores[at] - result.expected[at]));
  }
  result.attribution = sums.to(net.device().compute_dtype());
  return result;
}

extern const Method gradient_shap_method;
const Method gradient_shap_method{
    .name = "gradient_shap",
    .summary =
        "gradients at random points between the picture and random baselines: expected shares of the score",
    .source =
        "Lundberg & Lee 2017, A unified approach to interpreting model predictions; Erion et al. 2021, "
        "Improving "
        "performance of deep learning models with axiomatic attribution priors and expected gradients",
    .options = {{"samples", int64_t{16}, "random points", 1, 1e6},
                baseline_option("zero,black,white,noise"),
                {"sigma", 0.0, "deviation of noise on the picture, as a share of its range", 0, 1e6},
                noise_option()},
    .run = [](const Question& q, const Options& o) -> Explanation {
      const Draws draws(o.text("noise"), "--gradient_shap.noise");
      GradientShapOptions options{.target = q.target,
                                  .samples = o.integer("samples"),
                                  .draws = draws,
                                  .sigma = o.number("sigma"),
                                  .progress = q.progress};
      for (const Baseline& b :
           baselines(q.model, q.input, o.text("baseline"), "--gradient_shap.baseline", draws))
        options.baselines.push_back(b.values);
      const GradientShapResult r = gradient_shap(q.model, q.input, options);
      return {
          {{"gradient_shap",
            r.attribution.row(0),
            {.style = Picture::Style::contribution},
            "Red pixels raise the score above what baselines have on the average, and blue ones lower it."}},
          {{"completeness_residual", r.residuals[0],
            "sum of all shares minus the score's difference from the baselines that were drawn, " +
                std::to_string(r.scores[0] - r.expected[0]) +
                ": the error of so few random points, which vanishes as they become very many"}}};
    }};

}  // namespace loupe
