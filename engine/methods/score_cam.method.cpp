// Score-CAM: no gradient; a map counts as much as the class's score where the picture is seen through that map alone.
#include "engine/methods/score_cam.h"

#include <algorithm>
#include <cmath>

namespace loupe {

namespace {
// Cell and share of the next one for a pixel of a side that is upsampled from `cells` to `pixels`.
struct Between {
  int64_t cell, next;
  double share;
};
std::vector<Between> between(int64_t cells, int64_t pixels) {
  std::vector<Between> all;
  const double scale = static_cast<double>(cells) / static_cast<double>(pixels);
  for (int64_t i = 0; i < pixels; ++i) {
    const double at = std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
    const auto cell = std::min(static_cast<int64_t>(at), cells - 1);
    all.push_back({cell, std::min(cell + 1, cells - 1), at - static_cast<double>(cell)});
  }
  return all;
}

// H_k at every pixel (h, w) of the input.
std::vector<double> mask(const CamMaps& a, int64_t k, int64_t h, int64_t w) {
  const std::vector<Between> rows = between(a.layer.height, h), columns = between(a.layer.width, w);
  std::vector<double> up;
  for (const Between& y : rows)
    for (const Between& x : columns) {
      const auto at = [&](int64_t i, int64_t j) { return a(k, i * a.layer.width + j); };
      const double above = (1 - x.share) * at(y.cell, x.cell) + x.share * at(y.cell, x.next),
                   below = (1 - x.share) * at(y.next, x.cell) + x.share * at(y.next, x.next);
      up.push_back((1 - y.share) * above + y.share * below);
    }
  const auto [least, most] = std::ranges::minmax(up);
  for (double& v : up) v = safe_ratio(v - least, most - least);
  return up;
}

// Images seen through their channels, rows n·K + k of [begin, end), in the network's type.
Tensor seen_through(const Tensor& x, const CamLayer& layer, const std::vector<Tensor>& maps, int64_t begin,
                    int64_t end, Dtype type) {
  const Nchw s = Nchw::of(x.shape());
  const Tensor batch(type, x.shape().with(0, end - begin));
  const Tensor pixels = x.to(Dtype::f64);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t n = row / layer.channels, k = row % layer.channels;
    const std::vector<double> h =
        mask({layer, maps[static_cast<size_t>(n)].values<const double>().data()}, k, s.h, s.w);
    const double* image = pixels.values<const double>().data() + n * s.image();
    with_float_type(type, [&]<typename T>(T) {
      T* to = batch.values<T>().data() + (row - begin) * s.image();
      for (int64_t i = 0; i < s.image(); ++i)
        to[i] = static_cast<T>(image[i] * h[static_cast<size_t>(i % (s.h * s.w))]);
    });
  }
  return batch;
}
}  // namespace

ScoreCamResult score_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options) {
  Network& net = model.network;
  expect_images(net, x);
  const CamLayer layer = cam_layer(model, "score_cam", options.layer, x.shape());
  const int64_t count = x.shape()[0], channels = layer.channels;
  const Target target = settled(net, x, options.target).repeated(channels);
  std::vector<Tensor> maps;  // of each image all of the layer's numbers
  cam_of_maps(model, x, layer, [&](int64_t, const CamMaps& a, std::span<double>) {
    maps.push_back(
        Tensor::from(std::span(a.numbers, static_cast<size_t>(layer.numbers)), {layer.numbers}).clone());
  });
  const RowScores found = forward_scores(
      net, x.shape(), count * channels,
      [&](int64_t begin, int64_t end) {
        return seen_through(x, layer, maps, begin, end, net.device().compute_dtype());
      },
      target, options.progress);

  const Tensor sums = Tensor::zeros(Dtype::f64, {count, layer.height, layer.width});
  for (int64_t n = 0; n < count; ++n) {
    const std::span<const double> scores(found.scores.data() + n * channels, static_cast<size_t>(channels));
    const double top = std::ranges::max(scores);
    std::vector<double> weights;
    double total = 0;
    for (const double s : scores) total += weights.emplace_back(std::exp(s - top));
    for (double& w : weights) w /= total;
    add_weighted({layer, maps[static_cast<size_t>(n)].values<const double>().data()}, weights,
                 sums.row(n).values<double>());
  }
  const Dtype type = net.device().compute_dtype();
  return {sums.to(type), Tensor::from(std::span<const double>(found.scores), {count, channels}).to(type)};
}

extern const Method score_cam_method;
const Method score_cam_method = cam_layer_method(
    {.name = "score_cam",
     .summary = "a layer's maps weighted by the score of the picture seen through each: no gradient",
     .source =
         "Wang et al. 2020, Score-CAM: score-weighted visual explanations for convolutional neural networks",
     .caption = "Warm where maps are active through which the picture still has a high score, at layer",
     .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& at, const Options&) -> CamResult {
       const ScoreCamResult r = score_cam(model, x, at);
       return {r.map, {{"score_cam.score", r.score}}};
     },
     .costly = true});

}  // namespace loupe
