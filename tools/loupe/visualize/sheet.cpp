// Many pictures as one, and what another network says to them.
#include <algorithm>
#include <cmath>

#include "engine/image/resize.h"
#include "tools/loupe/visualize/visualization.h"

namespace loupe {

namespace {
constexpr uint8_t kGround = 0x20;

int64_t columns_of(int64_t count) {
  return std::max<int64_t>(1, std::llround(std::ceil(std::sqrt(static_cast<double>(count) * 1.4))));
}
}  // namespace

int64_t frame_cell(int64_t count, int64_t longest) {
  constexpr double kPixels = 1 << 17;  // of a frame, together: an animation is a few megabytes
  const double side = std::sqrt(kPixels / static_cast<double>(std::max<int64_t>(count, 1)));
  return std::clamp<int64_t>(std::llround(side), 8, longest);
}

Image picture_sheet(const std::vector<const Image*>& pictures, int64_t cell) {
  const int64_t count = std::ssize(pictures),
                columns = std::min(columns_of(count), std::max<int64_t>(count, 1));
  const int64_t rows = (count + columns - 1) / columns, gap = count > 1 ? 2 : 0;
  Image sheet{columns * (cell + gap) + gap, rows * (cell + gap) + gap, {}};
  sheet.rgb.assign(static_cast<size_t>(sheet.width * sheet.height * 3), kGround);
  for (int64_t i = 0; i < count; ++i) {
    const Image& whole = *pictures[static_cast<size_t>(i)];
    const double scale = static_cast<double>(cell) / static_cast<double>(std::max(whole.width, whole.height));
    const auto side = [&](int64_t pixels) {
      return std::max<int64_t>(1, std::llround(static_cast<double>(pixels) * scale));
    };
    const bool fits = std::max(whole.width, whole.height) == cell;
    const Image small = fits ? whole : resize(whole, side(whole.width), side(whole.height));
    const int64_t top = gap + (i / columns) * (cell + gap), left = gap + (i % columns) * (cell + gap);
    for (int64_t y = 0; y < small.height; ++y)
      std::copy_n(small.pixel(y, 0), small.width * 3, sheet.pixel(top + y, left));
  }
  return sheet;
}

double Judgement::share(const std::vector<std::optional<double>>& of) const {
  double sum = 0;
  int64_t count = 0;
  for (const auto& r : of)
    if (r) sum += *r, ++count;
  return count ? sum / static_cast<double>(count) : 0;
}

int64_t Judgement::pictures(const std::vector<std::optional<double>>& of) const {
  return std::ranges::count_if(of, [](const auto& r) { return r && *r > 0.5; });
}

std::vector<std::optional<double>> judged(ImageModel& judge, const std::vector<Visualized>& units,
                                          int64_t views, int64_t jitter) {
  std::vector<std::optional<double>> shares;
  const ViewRange range{.jitter = jitter};
  for (const Visualized& unit : units) {
    shares.emplace_back();
    if (!unit.wanted.cls) continue;
    const Tensor x = judge.preprocess(unit.picture).to(Dtype::f64);
    const int64_t channels = x.shape()[1], n = x.shape()[2] * x.shape()[3];
    int64_t right = 0;
    for (int64_t v = 0; v < views; ++v) {
      const Sampling seen(range.draw(Draws("1"), "judge", v), x.shape()[2], x.shape()[3]);
      const Tensor moved(Dtype::f64, x.shape());
      for (int64_t c = 0; c < channels; ++c)
        seen.sample(x.values<const double>().data() + c * n, moved.values<double>().data() + c * n);
      right += Target(top1).classes(judge.logits(moved.to(Dtype::f32)))[0] == *unit.wanted.cls ? 1 : 0;
    }
    shares.back() = static_cast<double>(right) / static_cast<double>(views);
  }
  return shares;
}

}  // namespace loupe
