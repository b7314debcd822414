#include "engine/methods/smooth_grad.h"

#include <algorithm>
#include <cmath>

#include "engine/methods/smooth_grad_options.h"
#include "engine/run/signal_sum.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {
constexpr int64_t kChunk = 1 << 14;

// Takes the rows of a batch in the order of samples: sums do not depend on batches.
class Moments {
 public:
  enum class What : uint8_t { mean, squares, variance };
  Moments(What what, const Shape& shape, int64_t samples)
      : what_(what), samples_(samples), first_(Tensor::zeros(Dtype::f64, shape)) {
    if (what == What::variance) second_ = Tensor::zeros(Dtype::f64, shape);
  }

  /// The map of sample `sample` (0, 1, …, for each image in turn) of an image.
  template <typename T>
  void add(int64_t image, int64_t sample, std::span<const T> map) {
    double* first = first_.row(image).values<double>().data();
    double* second = second_.defined() ? second_.row(image).values<double>().data() : nullptr;
    const auto size = static_cast<int64_t>(map.size());
    const double share = 1 / static_cast<double>(sample + 1);
    parallel_for(ceil_div(size, kChunk), [&](int64_t chunk) {
      const int64_t begin = chunk * kChunk, end = std::min(size, begin + kChunk);
      const T* g = map.data();
      switch (what_) {
        case What::mean:
          for (int64_t i = begin; i < end; ++i) first[i] += g[i];
          break;
        case What::squares:
          for (int64_t i = begin; i < end; ++i) first[i] += static_cast<double>(g[i]) * g[i];
          break;
        case What::variance:  // Welford 1962: equal samples have a variance of exactly 0
          for (int64_t i = begin; i < end; ++i) {
            const double off = g[i] - first[i];
            first[i] += off * share;
            second[i] += off * (g[i] - first[i]);
          }
      }
    });
  }

  Tensor result(Dtype type) const {
    const Tensor& sums = second_.defined() ? second_ : first_;
    for (double& v : sums.values<double>()) v /= static_cast<double>(samples_);
    return sums.to(type);
  }

 private:
  What what_;
  int64_t samples_;
  Tensor first_, second_ = {};
};

class Copies {
 public:
  Copies(const Tensor& x, const SmoothGradOptions& o) : x_(x.to(Dtype::f64)), options_(o) {
    for (int64_t n = 0; n < x.shape()[0]; ++n) {
      const auto v = x_.row(n).values<const double>();
      const auto [low, high] = std::ranges::minmax_element(v);
      deviations_.push_back(o.sigma * (*high - *low));
    }
  }

  /// Rows [begin, end) of the job, in which row n·samples + s is copy s of image n; f32.
  Tensor rows(int64_t begin, int64_t end) const {
    const int64_t size = x_.numel() / x_.shape()[0];
    const Tensor copies(Dtype::f32, x_.shape().with(0, end - begin)), noise(Dtype::f64, {size});
    const double* d = noise.values<double>().data();
    for (int64_t row = begin; row < end; ++row) {
      const int64_t image = row / options_.samples, sample = row % options_.samples;
      options_.draws.normals("smooth_grad.noise." + std::to_string(sample), noise.values<double>());
      const double* from = x_.row(image).values<const double>().data();
      float* to = copies.row(row - begin).values<float>().data();
      const double deviation = deviations_[static_cast<size_t>(image)];
      for (int64_t i = 0; i < size; ++i) to[i] = static_cast<float>(from[i] + deviation * d[i]);
    }
    return copies;
  }

 private:
  Tensor x_;
  const SmoothGradOptions& options_;
  std::vector<double> deviations_;  // of the noise, by image
};

// The way back from every copy, in batches.
void by_rule(Network& net, const Tensor& x, const SmoothGradOptions& o, const Copies& copies,
             Moments& moments) {
  const NodeId input = net.graph().inputs().at(0);
  const Target target = settled(net, x, o.target).repeated(o.samples);
  ScorePass pass{net, x.shape(), {.gradients = {input}, .rule = o.rule}, target, o.probe, o.progress};
  Tensor batch;
  const auto rows = [&](int64_t begin, int64_t end) { return batch = copies.rows(begin, end); };
  pass.run(x.shape()[0] * o.samples, rows, [&](Execution& e, int64_t begin) {
    const Tensor gradients = e.gradient(input);
    with_float_type(gradients.dtype(), [&]<typename T>(T) {
      for (int64_t r = 0; r < gradients.shape()[0]; ++r) {
        const auto g = gradients.row(r).values<T>();
        if (o.times_input) {
          const auto v = batch.row(r).values<const float>();
          for (size_t i = 0; i < g.size(); ++i) g[i] *= v[i];
        }
        moments.add<T>((begin + r) / o.samples, (begin + r) % o.samples, g);
      }
    });
  });
}

// The mean alone: the signals are added up before the first layer's way back.
Tensor mean_by_rule(Network& net, const Tensor& x, const SmoothGradOptions& o, const Copies& copies) {
  const Target target = settled(net, x, o.target).repeated(o.samples);
  SignalSum sum(net, x.shape(), x.shape()[0], net.graph().inputs().at(0), target.node(net.graph()), o.rule);
  ScorePass pass{net, x.shape(), {.gradients = {sum.node()}, .rule = o.rule}, target, o.probe, o.progress};
  pass.run(
      x.shape()[0] * o.samples, [&](int64_t begin, int64_t end) { return copies.rows(begin, end); },
      [&](Execution& e, int64_t begin) {
        std::vector<int64_t> images;
        for (int64_t r = 0; r < e.plan().batch(); ++r) images.push_back((begin + r) / o.samples);
        sum.add(e, images, std::vector<double>(images.size(), 1 / static_cast<double>(o.samples)));
      });
  return sum.total().reshape(x.shape()).to(net.device().compute_dtype());
}

Tensor moments_of(Network& net, const Tensor& x, const SmoothGradOptions& o, Moments::What what) {
  expect_images(net, x);
  if (o.samples < 1)
    throw UsageError("a mean over samples needs at least one, not " + std::to_string(o.samples));
  if (!(o.sigma >= 0) || std::isinf(o.sigma))
    throw UsageError("the noise's sigma is a number of at least 0, not " + std::to_string(o.sigma));
  const Copies copies(x, o);
  if (what == Moments::What::mean && !o.map && !o.times_input) return mean_by_rule(net, x, o, copies);
  Moments moments(what, x.shape(), o.samples);
  if (!o.map) {
    by_rule(net, x, o, copies, moments);
  } else {
    const int64_t count = x.shape()[0] * o.samples;
    for (int64_t row = 0; row < count; ++row) {
      const Tensor noisy = copies.rows(row, row + 1), map = o.map(noisy);
      if (map.numel() != noisy.numel())
        throw UsageError("a mean over noisy pictures needs maps like the picture, " + noisy.shape().str() +
                         ", not " + map.shape().str());
      const Tensor values = map.to(Dtype::f64);
      moments.add<double>(row / o.samples, row % o.samples, values.values<const double>());
      if (o.progress) o.progress(static_cast<double>(row + 1) / static_cast<double>(count));
    }
  }
  return moments.result(net.device().compute_dtype());
}
}  // namespace

Tensor smooth_grad(Network& net, const Tensor& x, const SmoothGradOptions& options) {
  return moments_of(net, x, options, Moments::What::mean);
}
Tensor smooth_grad_squared(Network& net, const Tensor& x, const SmoothGradOptions& options) {
  return moments_of(net, x, options, Moments::What::squares);
}
Tensor var_grad(Network& net, const Tensor& x, const SmoothGradOptions& options) {
  return moments_of(net, x, options, Moments::What::variance);
}

std::vector<OptionSpec> smooth_grad_specs() {
  return {{"samples", int64_t{16}, "noisy copies", 1, 1e6},
          {"sigma", 0.15, "deviation of the noise, as a share of the input's range", 0, 1e6},
          {"of", std::string("gradient"),
           "whose maps are averaged: gradient, input_x_gradient, guided_backprop, deconvnet, or any method "
           "with a map "
           "like the picture"},
          {"noise", std::string("hash"),
           "random numbers: hash, always the same, or a whole number that seeds others"}};
}

std::optional<std::string> smooth_grad_unsuited(const ImageModel& model, const Shape& input,
                                                const Options& o) {
  return why_unsuited(find_method(o.text("of")), model, input);
}

SmoothGradOptions smooth_grad_options(const Question& q, const Options& o, const std::string& method) {
  SmoothGradOptions options{.target = q.target,
                            .samples = o.integer("samples"),
                            .sigma = o.number("sigma"),
                            .draws = Draws(o.text("noise"), "--" + method + ".noise"),
                            .progress = q.progress};
  const std::string& of = o.text("of");
  if (of == "guided_backprop") options.rule = guided_backprop_rule();
  if (of == "deconvnet") options.rule = deconvnet_rule();
  options.times_input = of == "input_x_gradient";
  if (of == "gradient" || of == "input_x_gradient" || of == "guided_backprop" || of == "deconvnet")
    return options;
  const Method& inner = find_method(of);
  options.map = [&q, &inner](const Tensor& noisy) {
    Question noisy_question = q;
    noisy_question.input = noisy;
    noisy_question.logits = q.model.logits(noisy);
    noisy_question.progress = [](double) {};
    Options defaults(std::string(inner.name), inner.options);
    if (inner.fit) inner.fit(q.model, noisy.shape(), defaults);
    return inner.run(noisy_question, defaults).maps.at(0).values;
  };
  return options;
}

}  // namespace loupe
