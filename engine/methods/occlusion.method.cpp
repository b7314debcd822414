// Occlusion: a square of one value moves over the image; where the score falls, the square hides what the
// class needs.
#include <algorithm>
#include <cmath>

#include "engine/methods/occlusion.h"
#include "engine/run/method.h"

namespace loupe {

namespace {
// Positions of the square along one side of the image. Throws where a square does not fit or pixels would
// stay uncovered.
int64_t positions(int64_t size, const OcclusionOptions& o) {
  if (o.window < 1 || o.window > size)
    throw UsageError("occlusion: a window of " + std::to_string(o.window) +
                     " pixels does not fit an image side of " + std::to_string(size));
  if (o.stride < 1) throw UsageError("occlusion: the stride is at least 1, not " + std::to_string(o.stride));
  if (o.stride > o.window && o.window < size)
    throw UsageError("occlusion: a stride of " + std::to_string(o.stride) +
                     " leaves gaps between windows of " + std::to_string(o.window) +
                     " pixels: choose a stride of at most the window");
  return 1 + ceil_div(size - o.window, o.stride);
}
}  // namespace

OcclusionResult occlusion(Network& net, const Tensor& x, const OcclusionOptions& options) {
  expect_images(net, x);
  if (!std::isfinite(options.fill)) throw UsageError("occlusion: the fill must be a finite number");
  const Nchw s = Nchw::of(x.shape());
  const int64_t gh = positions(s.h, options), gw = positions(s.w, options), places = gh * gw;
  const Target target = settled(net, x, options.target).repeated(places + 1);

  // Row n·(places + 1) of the job is image n as it is; then come its squares, row by row.
  const int64_t rows = s.n * (places + 1);

  const auto cover = [&](int64_t place, const auto& body) {  // body(first pixel of a row, pixels)
    const int64_t y = place / gw * options.stride, left = place % gw * options.stride;
    const int64_t width = std::min(options.window, s.w - left);
    for (int64_t r = y; r < std::min(y + options.window, s.h); ++r) body(r * s.w + left, width);
  };
  const auto occluded = [&](int64_t begin, int64_t end) {
    const Tensor batch(x.dtype(), x.shape().with(0, end - begin));
    with_float_type(x.dtype(), [&]<typename T>(T) {
      for (int64_t row = begin; row < end; ++row) {
        T* to = batch.values<T>().data() + (row - begin) * s.image();
        const int64_t place = row % (places + 1) - 1;
        std::copy_n(x.values<T>().data() + row / (places + 1) * s.image(), s.image(), to);
        if (place < 0) continue;
        cover(place, [&](int64_t first, int64_t count) {
          for (int64_t c = 0; c < s.c; ++c)
            std::fill_n(to + c * s.h * s.w + first, count, static_cast<T>(options.fill));
        });
      }
    });
    return batch;
  };
  const RowScores found = forward_scores(net, x.shape(), rows, occluded, target, options.progress);
  const auto grid = [&](const std::vector<double>& of_rows) {  // without the images as they are
    const Tensor places_alone(Dtype::f64, {s.n, gh, gw});
    for (int64_t n = 0; n < s.n; ++n)
      std::copy_n(of_rows.begin() + n * (places + 1) + 1, places,
                  places_alone.values<double>().begin() + n * places);
    return places_alone;
  };
  const Tensor logit = grid(found.scores);

  const Tensor drops = Tensor::zeros(Dtype::f64, {s.n, s.h, s.w});
  std::vector<double> covered(static_cast<size_t>(s.h * s.w), 0.0);
  for (int64_t n = 0; n < s.n; ++n) {
    const double whole = found.scores[static_cast<size_t>(n * (places + 1))];
    double* drop = drops.values<double>().data() + n * s.h * s.w;
    for (int64_t place = 0; place < places; ++place) {
      const double fall = whole - logit.values<double>()[n * places + place];
      cover(place, [&](int64_t first, int64_t count) {
        for (int64_t p = first; p < first + count; ++p) drop[p] += fall, covered[p] += n == 0;
      });
    }
    for (int64_t p = 0; p < s.h * s.w; ++p) drop[p] /= covered[p];
  }
  const Dtype type = net.device().compute_dtype();
  return {logit.to(type), target.is_class() ? grid(found.probabilities).to(type) : Tensor(), drops.to(type)};
}

extern const Method occlusion_method;
const Method occlusion_method{
    .name = "occlusion",
    .summary = "the score and the probability with a square of one value over each place",
    .source = "Zeiler & Fergus 2014, Visualizing and understanding convolutional networks, section 4.2",
    .options = {{"window", int64_t{32},
                 "side of the square, pixels: 32 of 224, else a seventh of the picture's", 1, 65536},
                {"stride", int64_t{8},
                 "pixels between two places of the square, at most its side: a quarter of it, 5 or more", 1,
                 65536},
                {"fill", 0.0, "the square's value in normalised units; 0 is the mean colour, a grey", -1e6,
                 1e6}},
    .unsuited = [](const ImageModel&, const Shape& input, const Options& o) -> std::optional<std::string> {
      const OcclusionOptions options{.window = o.integer("window"), .stride = o.integer("stride")};
      for (const int64_t side : {input[2], input[3]}) positions(side, options);
      return std::nullopt;
    },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const OcclusionOptions options{.target = q.target,
                                     .window = o.integer("window"),
                                     .stride = o.integer("stride"),
                                     .fill = o.number("fill"),
                                     .progress = q.progress};
      const OcclusionResult r = occlusion(q.model, q.input, options);
      const double centre = static_cast<double>(options.window - 1) / 2,
                   stride = static_cast<double>(options.stride);
      const Grid grid{centre, centre, stride, stride};
      Explanation answer{
          {{"occlusion_logit",
            r.logit.row(0),
            {.style = Picture::Style::level, .grid = grid},
            "The score with the square's centre here: low where it hides what the class needs."}},
          {}};
      if (r.probability.defined())
        answer.maps.push_back({"occlusion_probability",
                               r.probability.row(0),
                               {.style = Picture::Style::level, .grid = grid},
                               "The class's probability with the square's centre here."});
      answer.maps.push_back(
          {"occlusion_attribution",
           r.attribution.row(0),
           {.style = Picture::Style::contribution},
           "How far the score falls when the pixel is hidden, averaged over the squares that "
           "hide it: red for the class, blue against it."});
      return answer;
    },
    .fit =
        [](const ImageModel&, const Shape& input, Options& o) {
          const int64_t window = std::max<int64_t>(1, std::min(input[2], input[3]) / 7);
          o.suggest("window", window);
          // A quarter of the window; in small pictures more, or the places are many and hardly differ.
          o.suggest("stride",
                    std::min(o.integer("window"), std::max<int64_t>(5, ceil_div(o.integer("window"), 4))));
        }};

}  // namespace loupe
