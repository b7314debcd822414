// Occlusion: a square of one value moves over the image; where the score falls, the square hides what the
// class needs.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/methods/baseline.h"
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

namespace {

// What the square shows: a number, grey, or one of the baselines (engine/methods/baseline.h).
void set_fill(OcclusionOptions& options, const Question& q, const Options& o) {
  const std::string& text = o.text("fill");
  const char* end = text.data() + text.size();
  if (const auto [at, error] = std::from_chars(text.data(), end, options.fill);
      error == std::errc() && at == end) {
    if (!std::isfinite(options.fill)) throw UsageError("--occlusion.fill is finite, not " + text);
    return;
  }
  const std::string option = "--occlusion.fill";
  const Draws draws(o.text("noise"), "--occlusion.noise");
  if (text == "grey") {  // half way from black to white
    const Tensor black = baselines(q.model, q.input, "black", option)[0].values,
                 white = baselines(q.model, q.input, "white", option)[0].values;
    options.picture = Tensor(Dtype::f32, black.shape());
    for (int64_t i = 0; i < black.numel(); ++i)
      options.picture.values<float>()[static_cast<size_t>(i)] =
          static_cast<float>((black.item(i) + white.item(i)) / 2);
    return;
  }
  const std::vector<Baseline> found = baselines(q.model, q.input, text, option, draws);
  if (found.size() != 1) throw UsageError(option + " takes one fill, not " + std::to_string(found.size()));
  options.picture = found[0].values;
}

OcclusionOptions options_of(const Question& q, const Options& o) {
  OcclusionOptions options{.target = q.target,
                           .window = o.integer("window"),
                           .stride = o.integer("stride"),
                           .each_channel = o.text("channels") == "each",
                           .progress = q.progress};
  set_fill(options, q, o);
  return options;
}

// The maps of one channel, or of all together.
void add_maps(const OcclusionResult& r, const OcclusionOptions& options, std::optional<int64_t> channel,
              Explanation& answer) {
  const double centre = static_cast<double>(options.window - 1) / 2,
               stride = static_cast<double>(options.stride);
  const Grid grid{centre, centre, stride, stride};
  const std::string suffix = channel ? "_" + std::to_string(*channel) : "";
  const std::string square = channel ? "a square over channel " + std::to_string(*channel) : "the square";
  const auto of = [&](const Tensor& t) {
    return channel ? t.row(0).slice(*channel, *channel + 1).row(0) : t.row(0);
  };
  answer.maps.push_back(
      {"occlusion_logit" + suffix,
       of(r.logit),
       {.style = Picture::Style::level, .grid = grid},
       "The score with " + square + ", its centre here: low where it hides what the class needs."});
  if (r.probability.defined())
    answer.maps.push_back({"occlusion_probability" + suffix,
                           of(r.probability),
                           {.style = Picture::Style::level, .grid = grid},
                           "The class's probability with " + square + ", its centre here."});
  answer.maps.push_back(
      {"occlusion_attribution" + suffix,
       of(r.attribution),
       {.style = Picture::Style::contribution},
       "How far the score falls when the pixel is hidden, averaged over the squares that hide it: "
       "red for the class, blue against it."});
}

}  // namespace

extern const Method occlusion_method;
const Method occlusion_method{
    .name = "occlusion",
    .summary = "the score and the probability with a square over each place",
    .source = "Zeiler & Fergus 2014, Visualizing and understanding convolutional networks, section 4.2",
    .options =
        {{"window", int64_t{32}, "side of the square, pixels: 32 of 224, else a seventh of the picture's", 1,
          65536},
         {"stride", int64_t{8},
          "pixels between two places of the square, at most its side: a quarter of it, 5 or more", 1, 65536},
         {"fill", std::string("zero"),
          "what the square shows: a number in normalised units, grey, zero (the mean colour of what the "
          "network was trained with), black, white, mean (the picture's own), blur, noise, or a picture's "
          "path"},
         noise_option(),
         {"channels", std::string("all"), "what the square covers: all channels, or `each` for itself"}},
    .unsuited = [](const ImageModel&, const Shape& input, const Options& o) -> std::optional<std::string> {
      const OcclusionOptions options{.window = o.integer("window"), .stride = o.integer("stride")};
      for (const int64_t side : {input[2], input[3]}) positions(side, options);
      if (o.text("channels") != "all" && o.text("channels") != "each")
        throw UsageError("--occlusion.channels is all or each, not '" + o.text("channels") + "'");
      return std::nullopt;
    },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const OcclusionOptions options = options_of(q, o);
      const OcclusionResult r = occlusion(q.model, q.input, options);
      Explanation answer;
      for (int64_t c = 0; c < (options.each_channel ? q.input.shape()[1] : 1); ++c)
        add_maps(r, options, options.each_channel ? std::optional(c) : std::nullopt, answer);
      answer.checks.push_back(
          {"multiplications", r.part,
           "the part of a whole pass's multiplications that a place took, since only what the "
           "square can have changed was computed again; the bits are those of whole passes"});
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
