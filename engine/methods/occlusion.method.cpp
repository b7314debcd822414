// Occlusion: a square of one value moves over the image; where the score falls, the square hides what the
// class needs.
#include <algorithm>
#include <cmath>

#include "engine/methods/occlusion.h"
#include "engine/run/method.h"
#include "engine/run/windows.h"

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

namespace {
// Everything about one call.
struct Job {
  Network& net;
  const Tensor& x;
  const OcclusionOptions& options;
  Nchw s = Nchw::of(x.shape());
  int64_t gh = positions(s.h, options), gw = positions(s.w, options), layers = options.each_channel ? s.c : 1;

  Rect square(int64_t place) const {
    const int64_t y = place / gw * options.stride, left = place % gw * options.stride;
    return {y, left, std::min(options.window, s.h - y), std::min(options.window, s.w - left)};
  }

  // What image n shows with the square there: (C, h, w), the other channels as they are.
  Tensor covered(int64_t n, int64_t layer, const Rect& r) const {
    const Tensor to(x.dtype(), {s.c, r.h, r.w});
    with_float_type(x.dtype(), [&]<typename T>(T) {
      T* at = to.values<T>().data();
      for (int64_t c = 0; c < s.c; ++c) {
        const bool hidden = !options.each_channel || c == layer;
        const Tensor& from = hidden ? options.picture : x;
        const int64_t image = from.defined() && from.shape()[0] > 1 ? n : 0;
        for (int64_t row = r.y; row < r.y + r.h; ++row, at += r.w)
          if (from.defined())
            std::copy_n(from.values<T>().data() + ((image * s.c + c) * s.h + row) * s.w + r.x, r.w, at);
          else
            std::fill_n(at, r.w, static_cast<T>(options.fill));
      }
    });
    return to;
  }
};

// The fall of the score, averaged over the squares that cover a pixel.
void add_drops(const Job& job, double whole, const double* scores, double* drop) {
  std::vector<double> covered(static_cast<size_t>(job.s.h * job.s.w), 0.0);
  for (int64_t place = 0; place < job.gh * job.gw; ++place) {
    const Rect r = job.square(place);
    for (int64_t row = r.y; row < r.y + r.h; ++row)
      for (int64_t p = row * job.s.w + r.x; p < row * job.s.w + r.x + r.w; ++p)
        drop[p] += whole - scores[place], covered[static_cast<size_t>(p)] += 1;
  }
  for (size_t p = 0; p < covered.size(); ++p) drop[p] /= covered[p];
}
}  // namespace

OcclusionResult occlusion(Network& net, const Tensor& images, const OcclusionOptions& asked) {
  expect_images(net, images);
  if (!std::isfinite(asked.fill)) throw UsageError("occlusion: the fill must be a finite number");
  const Dtype type = net.device().compute_dtype();
  const Tensor x = images.to(type);
  OcclusionOptions options = asked;
  if (asked.picture.defined()) {
    if (asked.picture.shape() != x.shape() && asked.picture.shape() != x.shape().with(0, 1))
      throw UsageError("occlusion: the picture under the square is " + asked.picture.shape().str() +
                       ", but the images are " + x.shape().str());
    options.picture = asked.picture.to(type);
  }
  const Job job{net, x, options};
  const Nchw& s = job.s;
  const int64_t places = job.gh * job.gw, jobs = s.n * job.layers;
  const Target target = settled(net, x, options.target);
  const std::vector<double> whole =
      forward_scores(
          net, x.shape(), s.n, [&](int64_t b, int64_t e) { return x.slice(b, e); }, target)
          .scores;
  std::vector<Rect> squares;
  for (int64_t p = 0; p < places; ++p) squares.push_back(job.square(p));

  const Tensor logit(Dtype::f64, {s.n, job.layers, job.gh, job.gw}), probability(Dtype::f64, logit.shape());
  const Tensor drops = Tensor::zeros(Dtype::f64, {s.n, job.layers, s.h, s.w});
  OcclusionResult result;
  for (int64_t i = 0; i < jobs; ++i) {
    const int64_t n = i / job.layers;
    const WindowScores found = window_scores(
        net, x.slice(n, n + 1), squares,
        [&](int64_t p) { return job.covered(n, i % job.layers, squares[static_cast<size_t>(p)]); },
        target.image(n),
        [&](double part) {
          if (options.progress) options.progress((static_cast<double>(i) + part) / static_cast<double>(jobs));
        });
    result.part = found.part;
    std::ranges::copy(found.scores, logit.values<double>().begin() + i * places);
    std::ranges::copy(found.probabilities, probability.values<double>().begin() + i * places);
    add_drops(job, whole[static_cast<size_t>(n)], found.scores.data(),
              drops.values<double>().data() + i * s.h * s.w);
  }
  const auto shaped = [&](const Tensor& t) {
    return t.to(type).reshape(options.each_channel ? t.shape() : Shape{s.n, t.shape()[2], t.shape()[3]});
  };
  result.logit = shaped(logit);
  if (target.is_class()) result.probability = shaped(probability);
  result.attribution = shaped(drops);
  return result;
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
