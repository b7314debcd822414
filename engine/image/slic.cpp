#include "engine/image/slic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/common/error.h"

namespace loupe {
namespace {

constexpr int kRounds = 10;

// CIELAB of sRGB (IEC 61966-2-1), white D65.
std::array<double, 3> cielab(const uint8_t* rgb) {
  std::array<double, 3> linear;
  for (size_t c = 0; c < 3; ++c) {
    const double v = rgb[c] / 255.0;
    linear[c] = v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  }
  const auto [r, g, b] = linear;
  const auto f = [](double t) {
    constexpr double kDelta = 6.0 / 29;
    return t > kDelta * kDelta * kDelta ? std::cbrt(t) : t / (3 * kDelta * kDelta) + 4.0 / 29;
  };
  const double x = f((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const double y = f(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
  const double z = f((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

struct Centre {
  std::array<double, 3> colour{};
  double y = 0, x = 0;
};

class Clusters {
 public:
  Clusters(const Image& image, int64_t count, double compactness)
      : h_(image.height),
        w_(image.width),
        count_(count),
        spacing_(std::sqrt(static_cast<double>(h_ * w_) / static_cast<double>(count))),
        weight_(compactness / spacing_),
        colours_(static_cast<size_t>(h_ * w_)),
        labels_(colours_.size()),
        distances_(colours_.size()) {
    for (int64_t p = 0; p < h_ * w_; ++p) colours_[static_cast<size_t>(p)] = cielab(image.rgb.data() + 3 * p);
    place();
  }

  std::vector<int32_t> labels() {
    for (int round = 0; round < kRounds; ++round) {
      assign();
      move();
    }
    return std::move(labels_);
  }

 private:
  const std::array<double, 3>& colour(int64_t y, int64_t x) const {
    return colours_[static_cast<size_t>(y * w_ + x)];
  }
  static double squared(const std::array<double, 3>& a, const std::array<double, 3>& b) {
    double sum = 0;
    for (size_t c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
    return sum;
  }
  // ‖I(x+1,y) − I(x−1,y)‖² + ‖I(x,y+1) − I(x,y−1)‖², the paper's equation 2; clamped at the edges.
  double gradient(int64_t y, int64_t x) const {
    return squared(colour(y, std::min(x + 1, w_ - 1)), colour(y, std::max<int64_t>(x - 1, 0))) +
           squared(colour(std::min(y + 1, h_ - 1), x), colour(std::max<int64_t>(y - 1, 0), x));
  }

  void place() {
    // Of a long strip, whose rows would be less than one, all go along it.
    const auto whole = [](double steps, int64_t side) {
      return std::clamp<int64_t>(std::llround(steps), 1, side);
    };
    const int64_t rows = whole(static_cast<double>(h_) / spacing_, h_);
    const int64_t columns = whole(static_cast<double>(count_) / static_cast<double>(rows), w_);
    reach_y_ = std::max(spacing_, static_cast<double>(h_) / static_cast<double>(rows));
    reach_x_ = std::max(spacing_, static_cast<double>(w_) / static_cast<double>(columns));
    const auto middle = [](int64_t i, int64_t side, int64_t parts) {
      return (2 * i + 1) * side / (2 * parts);
    };
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) {
        const int64_t y = middle(r, h_, rows), x = middle(c, w_, columns);
        int64_t best_y = y, best_x = x;
        for (int64_t v = std::max<int64_t>(y - 1, 0); v <= std::min(y + 1, h_ - 1); ++v)
          for (int64_t u = std::max<int64_t>(x - 1, 0); u <= std::min(x + 1, w_ - 1); ++u)
            if (gradient(v, u) < gradient(best_y, best_x)) best_y = v, best_x = u;
        centres_.push_back(
            {colour(best_y, best_x), static_cast<double>(best_y), static_cast<double>(best_x)});
      }
    // No pixel is ever without a centre, even one that no window reaches.
    for (int64_t y = 0; y < h_; ++y)
      for (int64_t x = 0; x < w_; ++x)
        labels_[static_cast<size_t>(y * w_ + x)] =
            static_cast<int32_t>(y * rows / h_ * columns + x * columns / w_);
  }

  void assign() {
    std::ranges::fill(distances_, std::numeric_limits<double>::infinity());
    for (size_t k = 0; k < centres_.size(); ++k) {
      const Centre& c = centres_[k];
      const auto first = [](double at) { return std::max<int64_t>(0, static_cast<int64_t>(std::ceil(at))); };
      const auto last = [](double at, int64_t side) {
        return std::min(side - 1, static_cast<int64_t>(std::floor(at)));
      };
      for (int64_t y = first(c.y - reach_y_); y <= last(c.y + reach_y_, h_); ++y)
        for (int64_t x = first(c.x - reach_x_); x <= last(c.x + reach_x_, w_); ++x) {
          const double dy = static_cast<double>(y) - c.y, dx = static_cast<double>(x) - c.x;
          const double d = squared(colour(y, x), c.colour) + weight_ * weight_ * (dy * dy + dx * dx);
          const auto at = static_cast<size_t>(y * w_ + x);
          if (d < distances_[at]) distances_[at] = d, labels_[at] = static_cast<int32_t>(k);
        }
    }
  }

  void move() {
    std::vector<Centre> sums(centres_.size());
    std::vector<double> counts(centres_.size(), 0.0);
    for (int64_t y = 0; y < h_; ++y)
      for (int64_t x = 0; x < w_; ++x) {
        const auto k = static_cast<size_t>(labels_[static_cast<size_t>(y * w_ + x)]);
        for (size_t c = 0; c < 3; ++c) sums[k].colour[c] += colour(y, x)[c];
        sums[k].y += static_cast<double>(y);
        sums[k].x += static_cast<double>(x);
        counts[k] += 1;
      }
    for (size_t k = 0; k < centres_.size(); ++k) {
      if (counts[k] == 0) continue;
      for (double& v : sums[k].colour) v /= counts[k];
      centres_[k] = {sums[k].colour, sums[k].y / counts[k], sums[k].x / counts[k]};
    }
  }

  int64_t h_, w_, count_;
  double spacing_, weight_;
  double reach_y_ = 0, reach_x_ = 0;  // how far a centre sees
  std::vector<std::array<double, 3>> colours_;
  std::vector<int32_t> labels_;
  std::vector<double> distances_;
  std::vector<Centre> centres_;
};

// Each connected piece a label of its own, in row-major order of its first pixel; smaller ones than `least` take that
// of the piece to the left of, or above, their first pixel, which has one by then.
Superpixels connected(const std::vector<int32_t>& clusters, int64_t h, int64_t w, int64_t least) {
  Superpixels result{.labels = std::vector<int32_t>(clusters.size(), -1)};
  std::vector<int64_t> piece;
  for (int64_t start = 0; start < h * w; ++start) {
    if (result.labels[static_cast<size_t>(start)] >= 0) continue;
    const auto fresh = static_cast<int32_t>(result.count);
    piece.assign(1, start);
    result.labels[static_cast<size_t>(start)] = fresh;
    for (size_t i = 0; i < piece.size(); ++i) {
      const int64_t p = piece[i], y = p / w, x = p % w;
      const auto visit = [&](bool inside, int64_t q) {
        if (!inside || result.labels[static_cast<size_t>(q)] >= 0 ||
            clusters[static_cast<size_t>(q)] != clusters[static_cast<size_t>(p)])
          return;
        result.labels[static_cast<size_t>(q)] = fresh;
        piece.push_back(q);
      };
      visit(y > 0, p - w);
      visit(y + 1 < h, p + w);
      visit(x > 0, p - 1);
      visit(x + 1 < w, p + 1);
    }
    if (std::ssize(piece) >= least || start == 0) {
      ++result.count;
      continue;
    }
    const int32_t before = result.labels[static_cast<size_t>(start % w > 0 ? start - 1 : start - w)];
    for (const int64_t p : piece) result.labels[static_cast<size_t>(p)] = before;
  }
  return result;
}

}  // namespace

Superpixels slic(const Image& image, int64_t count, double compactness) {
  const int64_t pixels = image.height * image.width;
  if (count < 1 || count > pixels)
    throw UsageError("slic makes from 1 to " + std::to_string(pixels) + " superpixels of a picture of " +
                     std::to_string(image.height) + "x" + std::to_string(image.width) + " pixels, not " +
                     std::to_string(count));
  if (!(compactness > 0) || !std::isfinite(compactness))
    throw UsageError("slic: the compactness is a positive number");
  return connected(Clusters(image, count, compactness).labels(), image.height, image.width,
                   pixels / count / 4);
}

}  // namespace loupe
