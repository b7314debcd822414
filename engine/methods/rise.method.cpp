// RISE: where the class is likely whatever else is hidden, there it is.
#include "engine/methods/rise.h"

#include <algorithm>
#include <cmath>

#include "engine/methods/baseline.h"
#include "engine/run/method.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

// Along one side of the enlarged grid: between which cells a pixel lies, and how far from the first to the second.
struct Between {
  size_t from, to;
  double part;
};

std::vector<Between> enlarged(int64_t grid, int64_t cell) {
  std::vector<Between> along;
  const int64_t side = (grid + 1) * cell;
  for (int64_t p = 0; p < side; ++p) {
    const double at = (static_cast<double>(p) + 0.5) * static_cast<double>(grid) / static_cast<double>(side);
    const double middle = std::max(0.0, at - 0.5);
    const auto from = static_cast<int64_t>(middle);
    along.push_back({static_cast<size_t>(from), static_cast<size_t>(std::min(from + 1, grid - 1)),
                     middle - static_cast<double>(from)});
  }
  return along;
}

double mix(double a, double b, double part) { return a + part * (b - a); }

class Masks {
 public:
  Masks(const RiseOptions& o, int64_t height, int64_t width)
      : grid_(o.grid),
        cell_w_(ceil_div(width, o.grid)),
        down_(enlarged(o.grid, ceil_div(height, o.grid))),
        across_(enlarged(o.grid, cell_w_)),
        cells_(static_cast<size_t>(o.samples * grid_ * grid_)) {
    o.draws.uniforms("rise.grid", cells_);
    for (double& u : cells_) u = u < o.probability ? 1 : 0;
    const auto shift = [&](int64_t i, int64_t cell) {
      return static_cast<int64_t>(std::floor(static_cast<double>(cell) * o.draws.uniform("rise.shift", i)));
    };
    for (int64_t i = 0; i < o.samples; ++i) {
      down_by_.push_back(shift(2 * i, ceil_div(height, o.grid)));
      across_by_.push_back(shift(2 * i + 1, cell_w_));
    }
  }

  // Row y of mask i is mask_row() of its g numbers between the cells above and below, and across_by(i).
  void numbers(int64_t i, int64_t y, std::span<double> row) const {
    const Between& b = down_[static_cast<size_t>(y + down_by_[static_cast<size_t>(i)])];
    const double* cells = cells_.data() + i * grid_ * grid_;
    const auto g = static_cast<size_t>(grid_);
    for (size_t q = 0; q < g; ++q) row[q] = mix(cells[b.from * g + q], cells[b.to * g + q], b.part);
  }
  int64_t across_by(int64_t i) const { return across_by_[static_cast<size_t>(i)]; }
  int64_t shifts_across() const { return cell_w_; }
  double mask(std::span<const double> numbers, int64_t by, int64_t x) const {
    const Between& b = across_[static_cast<size_t>(x + by)];
    return mix(numbers[b.from], numbers[b.to], b.part);
  }

 private:
  int64_t grid_, cell_w_;
  std::vector<Between> down_, across_;
  std::vector<double> cells_;  // (samples, g, g)
  std::vector<int64_t> down_by_, across_by_;
};

// Writes the image, (C, H, W), seen through mask i.
template <typename T>
void masked(const Masks& masks, int64_t i, const Nchw& s, int64_t grid, const T* image, T* to) {
  parallel_for(s.h, [&](int64_t y) {
    std::vector<double> numbers(static_cast<size_t>(grid)), row(static_cast<size_t>(s.w));
    masks.numbers(i, y, numbers);
    for (int64_t x = 0; x < s.w; ++x)
      row[static_cast<size_t>(x)] = masks.mask(numbers, masks.across_by(i), x);
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t x = 0, at = (c * s.h + y) * s.w; x < s.w; ++x)
        to[at + x] = static_cast<T>(image[at + x] * row[static_cast<size_t>(x)]);
  });
}

// Σ weight_i M_i over i = first, first + 2, … A mask's row is linear in its g numbers, so those of masks that are
// shifted alike across are added up before they are drawn out.
std::vector<double> weighted_sum(const Masks& masks, std::span<const double> weights, int64_t first,
                                 const Nchw& s, int64_t grid) {
  std::vector<double> sum(static_cast<size_t>(s.h * s.w), 0.0);
  parallel_for(s.h, [&](int64_t y) {
    const auto g = static_cast<size_t>(grid);
    std::vector<double> all(static_cast<size_t>(masks.shifts_across()) * g, 0.0), numbers(g);
    for (int64_t i = first; i < std::ssize(weights); i += 2) {
      masks.numbers(i, y, numbers);
      double* to = all.data() + masks.across_by(i) * grid;
      for (size_t q = 0; q < g; ++q) to[q] += weights[static_cast<size_t>(i)] * numbers[q];
    }
    for (int64_t by = 0; by < masks.shifts_across(); ++by)
      for (int64_t x = 0; x < s.w; ++x)
        sum[static_cast<size_t>(y * s.w + x)] +=
            masks.mask(std::span(all).subspan(static_cast<size_t>(by) * g, g), by, x);
  });
  return sum;
}

double correlation(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<double>(a.size());
  double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < a.size(); ++i) mean_a += a[i] / n, mean_b += b[i] / n;
  for (size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
    ab += (a[i] - mean_a) * (b[i] - mean_b);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

void expect_sound(const RiseOptions& o, int64_t height, int64_t width) {
  if (o.samples < 1) throw UsageError("rise takes at least 1 mask, not " + std::to_string(o.samples));
  if (o.grid < 1 || o.grid > std::min(height, width))
    throw UsageError("rise: a grid of " + std::to_string(o.grid) + "x" + std::to_string(o.grid) +
                     " cells does not fit a picture of " + std::to_string(height) + "x" +
                     std::to_string(width) + " pixels");
  if (!(o.probability > 0) || o.probability > 1)
    throw UsageError("rise: the probability that a cell is let through is above 0 and at most 1");
}

}  // namespace

RiseResult rise(Network& net, const Tensor& x, const RiseOptions& options) {
  expect_images(net, x);
  if (x.shape().rank() != 4) throw UsageError("rise masks pictures (N, C, H, W), not " + x.shape().str());
  const Nchw s = Nchw::of(x.shape());
  expect_sound(options, s.h, s.w);
  const int64_t samples = options.samples;
  const Masks masks(options, s.h, s.w);
  const Dtype type = net.device().compute_dtype();
  const Tensor images = x.to(type);
  // Row n·samples + i of the job is image n through mask i.
  const auto rows = [&](int64_t begin, int64_t end) {
    const Tensor batch(type, x.shape().with(0, end - begin));
    with_float_type(type, [&]<typename T>(T) {
      for (int64_t row = begin; row < end; ++row)
        masked(masks, row % samples, s, options.grid, images.values<T>().data() + row / samples * s.image(),
               batch.values<T>().data() + (row - begin) * s.image());
    });
    return batch;
  };
  const RowScores found = forward_scores(net, x.shape(), s.n * samples, rows,
                                         settled(net, x, options.target).repeated(samples), options.progress);

  const bool by_score = options.by_score || found.probabilities.empty();
  const std::span<const double> weights = by_score ? found.scores : found.probabilities;
  const double scale = 1 / (static_cast<double>(samples) * options.probability);
  RiseResult result;
  const Tensor map(Dtype::f64, {s.n, s.h, s.w});
  for (int64_t n = 0; n < s.n; ++n) {
    const auto of_image = weights.subspan(static_cast<size_t>(n * samples), static_cast<size_t>(samples));
    const std::vector<double> even = weighted_sum(masks, of_image, 0, s, options.grid),
                              odd = weighted_sum(masks, of_image, 1, s, options.grid);
    for (size_t p = 0; p < even.size(); ++p)
      map.values<double>()[static_cast<size_t>(n) * even.size() + p] = scale * (even[p] + odd[p]);
    result.agreement.push_back(correlation(even, odd));
  }
  result.attribution = map.to(type);
  result.logit = Tensor::from(found.scores, {s.n, samples}).to(type);
  if (!found.probabilities.empty())
    result.probability = Tensor::from(found.probabilities, {s.n, samples}).to(type);
  return result;
}

namespace {
RiseOptions options_of(const Options& o) {
  const std::string& score = o.text("score");
  if (score != "probability" && score != "logit")
    throw UsageError("--rise.score is probability or logit, not '" + score + "'");
  return {.samples = o.integer("samples"),
          .grid = o.integer("grid"),
          .probability = o.number("probability"),
          .by_score = score == "logit",
          .draws = Draws(o.text("noise"), "--rise.noise")};
}
}  // namespace

extern const Method rise_method;
const Method rise_method{
    .name = "rise",
    .summary = "the class's probability through random masks, averaged over those that let a pixel through",
    .source =
        "Petsiuk, Das & Saenko 2018, RISE: Randomized input sampling for explanation of black-box models",
    .options = {{"samples", int64_t{1000},
                 "masks; fewer for small pictures. The paper takes 4000 to 8000 of 224x224 pixels", 1,
                 1 << 24},
                {"grid", int64_t{7}, "cells of a mask along a side of the picture", 1, 65536},
                {"probability", 0.5, "that a cell is let through", 1e-6, 1},
                {"score", std::string("probability"),
                 "what masks weigh: the class's probability, or its logit"},
                noise_option()},
    .unsuited = [](const ImageModel&, const Shape& input, const Options& o) -> std::optional<std::string> {
      expect_sound(options_of(o), input[2], input[3]);
      return std::nullopt;
    },
    .run = [](const Question& q, const Options& o) -> Explanation {
      RiseOptions options = options_of(o);
      options.target = q.target;
      options.progress = q.progress;
      const RiseResult r = rise(q.model, q.input, options);
      Explanation found{
          {{"rise",
            r.attribution.row(0),
            {.style = Picture::Style::evidence, .from_least = true},
            "How high the class scores, on average, when the pixel is let through."}},
          {{"rise_agreement", r.agreement[0],
            "correlation of the maps of the odd and of the even masks: 1 with masks enough, 0 where the "
            "map is chance"}}};
      if (r.probability.defined()) found.numbers.push_back({"rise.probability", r.probability.row(0)});
      found.numbers.push_back({"rise.logit", r.logit.row(0)});
      return found;
    },
    .fit =
        [](const ImageModel&, const Shape& input, Options& o) {
          const int64_t side = std::min(input[2], input[3]);
          o.suggest("grid", std::clamp<int64_t>(side / 4, 1, 7));
          o.suggest("samples", std::clamp<int64_t>(input[2] * input[3] / 16, 50, 1000));
        },
    .costly = true};

}  // namespace loupe
