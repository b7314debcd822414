#include "engine/exam/removal.h"

#include <algorithm>
#include <numeric>

namespace loupe {

Removals remove(Network& net, const Tensor& x, const Target& target, std::vector<PixelSet> sets,
                const Progress& progress) {
  expect_images(net, x);
  const Shape& shape = x.shape();
  const int64_t pixels = shape[2] * shape[3];
  for (const PixelSet& set : sets)
    for (const int32_t p : set)
      if (p < 0 || p >= pixels)
        throw Error("a picture of " + std::to_string(pixels) + " pixels has no " + std::to_string(p));
  const Target fixed = settled(net, x, target);
  const Tensor whole = x.to(Dtype::f32);
  // Row 0 is the picture itself.
  const auto rows = [&](int64_t begin, int64_t end) {
    const Tensor batch(Dtype::f32, shape.with(0, end - begin));
    for (int64_t row = begin; row < end; ++row) {
      const auto picture = batch.row(row - begin).values<float>();
      std::ranges::copy(whole.values<float>(), picture.begin());
      if (row == 0) continue;
      for (const int32_t p : sets[static_cast<size_t>(row - 1)])
        for (int64_t c = 0; c < shape[1]; ++c) picture[static_cast<size_t>(c * pixels + p)] = 0;
    }
    return batch;
  };
  const int64_t count = std::ssize(sets) + 1;
  const std::vector<double> scores =
      forward_scores(net, shape, count, rows, fixed.repeated(count), progress).scores;
  Removals found{.sets = std::move(sets)};
  for (size_t s = 1; s < scores.size(); ++s) found.drops.push_back(scores[0] - scores[s]);
  return found;
}

std::vector<double> sums_over(const Plane& map, const std::vector<PixelSet>& sets) {
  std::vector<double> sums;
  for (const PixelSet& set : sets) {
    double sum = 0;
    for (const int32_t p : set) sum += map.values.at(static_cast<size_t>(p));
    sums.push_back(sum);
  }
  return sums;
}

std::vector<PixelSet> random_sets(int64_t pixels, int64_t size, int64_t count, const Draws& draws,
                                  const std::string& name) {
  std::vector<PixelSet> sets;
  std::vector<int32_t> order(static_cast<size_t>(pixels));
  std::vector<double> u(static_cast<size_t>(size));
  for (int64_t s = 0; s < count; ++s) {
    std::iota(order.begin(), order.end(), 0);
    draws.uniforms(name, u, s * pixels);
    for (int64_t i = 0; i < size; ++i) {
      const auto step = static_cast<int64_t>(u[static_cast<size_t>(i)] * static_cast<double>(pixels - i));
      std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(i + step)]);
    }
    sets.emplace_back(order.begin(), order.begin() + size);
  }
  return sets;
}

std::vector<PixelSet> random_squares(int64_t height, int64_t width, int64_t count, const Draws& draws,
                                     const std::string& name) {
  const int64_t shorter = std::min(height, width), least = std::max<int64_t>(1, shorter / 8),
                most = std::max<int64_t>(least, shorter / 2);
  const auto whole = [&](int64_t i, int64_t numbers) {
    return static_cast<int64_t>(draws.uniform(name, i) * static_cast<double>(numbers));
  };
  std::vector<PixelSet> squares;
  for (int64_t s = 0; s < count; ++s) {
    const int64_t side = least + whole(3 * s, most - least + 1), top = whole(3 * s + 1, height - side + 1),
                  left = whole(3 * s + 2, width - side + 1);
    PixelSet& square = squares.emplace_back();
    for (int64_t y = top; y < top + side; ++y)
      for (int64_t x = left; x < left + side; ++x) square.push_back(static_cast<int32_t>(y * width + x));
  }
  return squares;
}

}  // namespace loupe
