#include "engine/methods/coalitions.h"

#include <algorithm>
#include <numeric>

#include "kernels/common/parallel.h"

namespace loupe {
namespace {

// One channel: where present[label] the image's pixels, else the baseline's (null: 0).
template <typename T>
void compose(const Segments& segments, const std::vector<uint8_t>& present, const T* image, const T* baseline,
             T* to) {
  for (size_t p = 0; p < segments.labels.size(); ++p) {
    const bool there = present[static_cast<size_t>(segments.labels[p])] != 0;
    to[p] = there ? image[p] : baseline ? baseline[p] : T{0};
  }
}

}  // namespace

void expect_segments(const Network& net, const Tensor& x, const Segments& segments, const Tensor& baseline) {
  expect_images(net, x);
  const Shape &shape = x.shape(), one = shape.with(0, 1);
  if (shape.rank() != 4)
    throw UsageError("segments are of pictures (N, C, H, W), not of inputs " + shape.str());
  if (shape[2] != segments.height || shape[3] != segments.width)
    throw UsageError("segments of " + std::to_string(segments.height) + "x" + std::to_string(segments.width) +
                     " pixels for images " + shape.str());
  if (baseline.defined() && baseline.shape() != shape && baseline.shape() != one)
    throw UsageError("the baseline is " + baseline.shape().str() + ", but the images are " + shape.str());
}

CoalitionScores CoalitionJob::run(int64_t count, const Coalition& coalition) const {
  expect_segments(net, x, segments, baseline);
  const Nchw s = Nchw::of(x.shape());
  const int64_t rows = count + 2;  // of an image: it as it is, its baseline, its coalitions
  const Dtype type = net.device().compute_dtype();
  const Tensor images = x.to(type), base = baseline.defined() ? baseline.to(type) : Tensor();
  const auto batch_of = [&](int64_t begin, int64_t end) {
    const Tensor batch(type, x.shape().with(0, end - begin));
    std::vector<std::vector<uint8_t>> present;
    for (int64_t row = begin; row < end; ++row) {
      const int64_t k = row % rows;
      present.emplace_back(static_cast<size_t>(segments.count), static_cast<uint8_t>(k == 0));
      if (k >= 2) coalition(k - 2, present.back());
    }
    with_float_type(type, [&]<typename T>(T) {
      const int64_t plane = s.h * s.w;
      parallel_for((end - begin) * s.c, [&](int64_t i) {  // planes of the batch
        const int64_t row = begin + i / s.c, n = row / rows, at = (n * s.c + i % s.c) * plane;
        const T* from = base.defined()
                            ? base.values<T>().data() + (base.shape()[0] == 1 ? i % s.c * plane : at)
                            : nullptr;
        compose(segments, present[static_cast<size_t>(i / s.c)], images.values<T>().data() + at, from,
                batch.values<T>().data() + i * plane);
      });
    });
    return batch;
  };
  const RowScores found =
      forward_scores(net, x.shape(), s.n * rows, batch_of, settled(net, x, target).repeated(rows), progress);
  CoalitionScores result;
  for (int64_t n = 0; n < s.n; ++n) {
    const auto of_image = found.scores.begin() + n * rows;
    result.whole.push_back(of_image[0]);
    result.none.push_back(of_image[1]);
    result.values.insert(result.values.end(), of_image + 2, of_image + rows);
  }
  return result;
}

Tensor maps_of(const Segments& segments, std::span<const double> values, Dtype type) {
  const auto count = static_cast<size_t>(segments.count);
  std::vector<Tensor> maps;
  for (size_t n = 0; n < values.size() / count; ++n) {
    const Tensor map = segments.map(values.subspan(n * count, count), type);
    maps.push_back(map.reshape({1, map.shape()[0], map.shape()[1]}));
  }
  return stack_rows(maps);
}

std::vector<int64_t> order_of(std::span<const double> draws) {
  std::vector<int64_t> order(draws.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, {}, [&](int64_t i) { return draws[static_cast<size_t>(i)]; });
  return order;
}

}  // namespace loupe
