// Feature ablation: each segment is taken away on its own; the score falls by what it was worth beside all others.
#include "engine/methods/feature_ablation.h"

#include "engine/methods/coalitions.h"
#include "engine/run/windows.h"

namespace loupe {
namespace {

// What the image (1, C, H, W) shows in the box when the segment is away: (C, h, w).
Tensor without(const Tensor& image, const Tensor& baseline, const Segments& segments, int64_t segment,
               const Rect& box) {
  const Nchw s = Nchw::of(image.shape());
  const Tensor shown(image.dtype(), {s.c, box.h, box.w});
  with_float_type(image.dtype(), [&]<typename T>(T) {
    T* to = shown.values<T>().data();
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t y = box.y; y < box.y + box.h; ++y)
        for (int64_t x = box.x; x < box.x + box.w; ++x, ++to) {
          const int64_t p = y * s.w + x, at = c * s.h * s.w + p;
          const bool there = segments.labels[static_cast<size_t>(p)] != segment;
          *to = there                ? image.values<T>()[static_cast<size_t>(at)]
                : baseline.defined() ? baseline.values<T>()[static_cast<size_t>(at)]
                                     : T{0};
        }
  });
  return shown;
}

}  // namespace

FeatureAblationResult feature_ablation(Network& net, const Tensor& x, const Segments& segments,
                                       const FeatureAblationOptions& options) {
  expect_segments(net, x, segments, options.baseline);
  const Dtype type = net.device().compute_dtype();
  const Tensor images = x.to(type), base = options.baseline.defined() ? options.baseline.to(type) : Tensor();
  const int64_t count = x.shape()[0];
  const Target target = settled(net, images, options.target);
  const RowScores whole = forward_scores(
      net, x.shape(), count, [&](int64_t begin, int64_t end) { return images.slice(begin, end); }, target);
  const std::vector<Rect> boxes = segments.boxes();
  FeatureAblationResult result;
  std::vector<double> drops;
  for (int64_t n = 0; n < count; ++n) {
    const Tensor image = images.slice(n, n + 1);
    const Tensor shown = base.defined() && base.shape()[0] > 1 ? base.slice(n, n + 1) : base;
    const auto pixels = [&](int64_t i) {
      return without(image, shown, segments, i, boxes[static_cast<size_t>(i)]);
    };
    const auto progress = [&](double part) {
      if (options.progress) options.progress((static_cast<double>(n) + part) / static_cast<double>(count));
    };
    const WindowScores found = window_scores(net, image, boxes, pixels, target.image(n), progress);
    for (const double score : found.scores) drops.push_back(whole.scores[static_cast<size_t>(n)] - score);
    result.part = found.part;
  }
  result.attribution = maps_of(segments, drops, type);
  return result;
}

extern const Method feature_ablation_method;
const Method feature_ablation_method{
    .name = "feature_ablation",
    .summary = "how far the score falls without a segment: a square of a grid, or a superpixel",
    .source = "Zeiler & Fergus 2014, Visualizing and understanding convolutional networks, section 4.2",
    .options = segment_options(),
    .unsuited = [](const ImageModel&, const Shape& input, const Options& o) -> std::optional<std::string> {
      check_segment_options(input, o);
      return std::nullopt;
    },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const Segments segments = segments_of(q, o, "feature_ablation");
      const FeatureAblationResult r =
          feature_ablation(q.model, q.input, segments,
                           {.target = q.target,
                            .baseline = segment_baseline(q, o, "feature_ablation"),
                            .progress = q.progress});
      return {{{"feature_ablation", r.attribution.row(0), segments.picture(),
                "How far the score falls when the segment is hidden: red for the class, blue against it."}},
              {{"feature_ablation_multiplications", r.part,
                "the part of a whole pass's multiplications that a segment took, since only what it can have "
                "changed was computed again; the bits are those of whole passes"}}};
    },
    .fit = [](const ImageModel&, const Shape& input, Options& o) { fit_segments(input, o); }};

}  // namespace loupe
