#include "engine/exam/perturbation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/run/passes.h"
#include "engine/run/probability.h"
#include "kernels/common/error.h"
#include "kernels/common/random.h"

namespace loupe {

double Curve::area() const {
  double sum = 0;
  for (size_t i = 1; i < probability.size(); ++i) sum += (probability[i - 1] + probability[i]) / 2;
  return sum / static_cast<double>(probability.size() - 1);
}

std::vector<int64_t> most_relevant_first(const Plane& map) {
  std::vector<int64_t> order(map.values.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::sort(order, [&](int64_t a, int64_t b) {
    const double va = map.values[static_cast<size_t>(a)], vb = map.values[static_cast<size_t>(b)];
    if (va != vb) return va > vb;
    return scrambled(static_cast<uint64_t>(a)) < scrambled(static_cast<uint64_t>(b));
  });
  return order;
}

Tensor blurred(const Tensor& x, double deviation) {
  const Nchw s = Nchw::of(x.shape());
  const auto reach = static_cast<int64_t>(std::ceil(3 * deviation));
  std::vector<double> weights;
  for (int64_t d = -reach; d <= reach; ++d)
    weights.push_back(std::exp(-static_cast<double>(d * d) / (2 * deviation * deviation)));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& w : weights) w /= sum;

  // Along one side of the picture, whose neighbours lie `step` apart.
  const auto along = [&](const Tensor& from, int64_t size, int64_t step) {
    const Tensor to(Dtype::f64, x.shape());
    const auto in = from.values<double>(), out = to.values<double>();
    for (int64_t i = 0; i < x.numel(); ++i) {
      const int64_t at = i / step % size, first = i - at * step;
      double v = 0;
      for (int64_t d = -reach; d <= reach; ++d)
        v += weights[static_cast<size_t>(d + reach)] *
             in[static_cast<size_t>(first + std::clamp<int64_t>(at + d, 0, size - 1) * step)];
      out[static_cast<size_t>(i)] = v;
    }
    return to;
  };
  return along(along(x.to(Dtype::f64), s.w, 1), s.h, s.w).to(x.dtype());
}

Curve turning(Network& net, const Tensor& from, const Tensor& to, int64_t cls, const Plane& map,
              int64_t steps) {
  expect_images(net, from);
  if (steps < 1) throw UsageError("a curve has at least 1 step, not " + std::to_string(steps));
  const Shape& shape = from.shape();
  const int64_t pixels = shape[2] * shape[3];
  const std::vector<int64_t> order = most_relevant_first(map);
  const Tensor a = from.to(Dtype::f32), b = to.to(Dtype::f32);
  const int64_t features = std::ssize(order), together = features == pixels ? shape[1] : 1;
  if (features != pixels && features != shape[1] * pixels)
    throw Error("a map of " + std::to_string(features) + " values orders no picture of " + shape.str());

  Curve curve;
  in_batches(net, shape, steps + 1, {.values = {net.graph().output()}}, {}, [&](int64_t begin, int64_t end) {
    const Tensor batch(Dtype::f32, shape.with(0, end - begin));
    for (int64_t row = begin; row < end; ++row) {
      const auto picture = batch.row(row - begin).values<float>();
      std::ranges::copy(a.values<float>(), picture.begin());
      for (int64_t i = 0; i < row * features / steps; ++i)
        for (int64_t c = 0; c < together; ++c) {
          const auto at = static_cast<size_t>(c * pixels + order[static_cast<size_t>(i)]);
          picture[at] = b.values<float>()[at];
        }
    }
    const Tensor logits = net.logits(batch).to(Dtype::f64);
    for (int64_t row = 0; row < end - begin; ++row) {
      const auto scores = logits.row(row).values<double>();
      curve.probability.push_back(class_probability(scores, cls));
    }
  });
  return curve;
}

}  // namespace loupe
