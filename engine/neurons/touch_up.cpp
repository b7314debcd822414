#include "engine/neurons/touch_up.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace loupe {

namespace {
int64_t mirrored(int64_t i, int64_t n) {
  i %= 2 * n;
  if (i < 0) i += 2 * n;
  return i < n ? i : 2 * n - 1 - i;
}

// `count` numbers, `step` apart.
void blur_line(std::span<const double> kernel, double* x, int64_t count, int64_t step) {
  std::vector<double> line(static_cast<size_t>(count));
  const int64_t reach = std::ssize(kernel) / 2;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t k = -reach; k <= reach; ++k)
      line[static_cast<size_t>(i)] +=
          kernel[static_cast<size_t>(k + reach)] * x[mirrored(i + k, count) * step];
  for (int64_t i = 0; i < count; ++i) x[i * step] = line[static_cast<size_t>(i)];
}

// Clears the pixels whose size is below the percentile.
void clear_below(double percentile, std::vector<double> sizes, std::span<double> x, int64_t channels) {
  const size_t n = sizes.size(),
               at = std::min(n - 1, static_cast<size_t>(percentile / 100 * static_cast<double>(n)));
  std::vector<double> sorted = sizes;
  std::ranges::nth_element(sorted, sorted.begin() + static_cast<ptrdiff_t>(at));
  for (size_t i = 0; i < n; ++i)
    if (sizes[i] < sorted[at])
      for (size_t c = 0; c < static_cast<size_t>(channels); ++c) x[c * n + i] = 0;
}
}  // namespace

void gaussian_blur(double deviation, std::span<double> x, int64_t height, int64_t width) {
  if (deviation <= 0) return;
  const auto reach = static_cast<int64_t>(std::ceil(3 * deviation));
  std::vector<double> kernel;
  double sum = 0;
  for (int64_t k = -reach; k <= reach; ++k) {
    const double t = static_cast<double>(k) / deviation;
    kernel.push_back(std::exp(-t * t / 2));
    sum += kernel.back();
  }
  for (double& v : kernel) v /= sum;
  for (int64_t plane = 0; plane < std::ssize(x) / (height * width); ++plane) {
    double* begin = x.data() + plane * height * width;
    for (int64_t y = 0; y < height; ++y) blur_line(kernel, begin + y * width, width, 1);
    for (int64_t c = 0; c < width; ++c) blur_line(kernel, begin + c, height, width);
  }
}

void clear_small_norms(double percentile, std::span<double> x, int64_t channels) {
  std::vector<double> sizes(x.size() / static_cast<size_t>(channels));
  for (size_t i = 0; i < x.size(); ++i) sizes[i % sizes.size()] += x[i] * x[i];
  clear_below(percentile, std::move(sizes), x, channels);
}

void clear_small_contributions(double percentile, std::span<double> x, std::span<const double> gradient,
                               int64_t channels) {
  std::vector<double> sizes(x.size() / static_cast<size_t>(channels));
  for (size_t i = 0; i < x.size(); ++i) sizes[i % sizes.size()] += x[i] * gradient[i];
  for (double& v : sizes) v = std::abs(v);
  clear_below(percentile, std::move(sizes), x, channels);
}

}  // namespace loupe
