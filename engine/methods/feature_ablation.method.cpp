// Feature ablation: each segment is taken away on its own; the score falls by what it was worth beside all others.
#include "engine/methods/feature_ablation.h"

#include "engine/methods/coalitions.h"

namespace loupe {

Tensor feature_ablation(Network& net, const Tensor& x, const Segments& segments,
                        const FeatureAblationOptions& options) {
  const CoalitionJob job{net, x, options.baseline, segments, options.target, options.progress};
  const CoalitionScores found = job.run(segments.count, [](int64_t away, std::span<uint8_t> present) {
    std::ranges::fill(present, uint8_t{1});
    present[static_cast<size_t>(away)] = 0;
  });
  std::vector<double> drops = found.values;
  for (size_t i = 0; i < drops.size(); ++i)
    drops[i] = found.whole[i / static_cast<size_t>(segments.count)] - drops[i];
  return maps_of(segments, drops, net.device().compute_dtype());
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
      const Tensor drops = feature_ablation(q.model, q.input, segments,
                                            {.target = q.target,
                                             .baseline = segment_baseline(q, o, "feature_ablation"),
                                             .progress = q.progress});
      return {{{"feature_ablation", drops.row(0), segments.picture(),
                "How far the score falls when the segment is hidden: red for the class, blue against it."}},
              {}};
    },
    .fit = [](const ImageModel&, const Shape& input, Options& o) { fit_segments(input, o); }};

}  // namespace loupe
