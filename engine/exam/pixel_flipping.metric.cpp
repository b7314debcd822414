// Pixel flipping: how fast does the class's probability fall when the most relevant pixels are inverted first?
#include "engine/exam/pixel_flipping.h"

#include "engine/exam/metric.h"

namespace loupe {

Tensor negative(const Tensor& x, const Preprocessing& how) {
  const Tensor from = x.to(Dtype::f64), to(Dtype::f64, x.shape());
  const int64_t channels = x.shape()[1], pixels = x.numel() / x.shape()[0] / channels;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const auto c = static_cast<size_t>(i / pixels % channels);
    const double black = -static_cast<double>(how.mean[c]) / static_cast<double>(how.std[c]),
                 white = (1 - static_cast<double>(how.mean[c])) / static_cast<double>(how.std[c]);
    to.values<double>()[static_cast<size_t>(i)] =
        black + white - from.values<double>()[static_cast<size_t>(i)];
  }
  return to.to(x.dtype());
}

Curve pixel_flipping(Network& net, const Tensor& x, const Tensor& flipped, int64_t cls, const Plane& map,
                     int64_t steps) {
  return turning(net, x, flipped, cls, map, steps);
}

extern const Metric pixel_flipping_metric;
const Metric pixel_flipping_metric{
    .name = "pixel_flipping",
    .heading = "flip",
    .place = 11,
    .summary = "mean probability of the class while pixels are inverted, most relevant first; low is good",
    .source =
        "Bach, Binder, Montavon, Klauschen, Mueller & Samek 2015, On pixel-wise explanations for non-linear "
        "classifier decisions",
    .better = Metric::Better::lower,
    .costly = true,
    .standard = false,
    .score = [](const Trial& t) -> std::optional<Score> {
      const Tensor& x = t.scene.input;
      return Score{pixel_flipping(t.network, x, negative(x, t.network.preprocessing),
                                  t.scene.objects.at(0).cls, t.map(0), t.settings.steps)
                       .area()};
    }};

}  // namespace loupe
