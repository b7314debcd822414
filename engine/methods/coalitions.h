// Coalitions: some of an image's segments are there, the others show a baseline. What LIME, KernelSHAP and
// Shapley value sampling ask a network about.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "engine/methods/segments.h"
#include "engine/run/passes.h"

namespace loupe {

/// Throws UsageError unless the images (N, C, H, W) fit the network and the segments, and the baseline, if there is one,
/// is like them or one for all.
void expect_segments(const Network& net, const Tensor& x, const Segments& segments, const Tensor& baseline);

/// Writes which segments are there, 1 or 0 each, in coalition s.
using Coalition = std::function<void(int64_t s, std::span<uint8_t> present)>;

/// The target's scalar f of images (N, 3, H, W) and of their coalitions.
struct CoalitionScores {
  std::vector<double> whole;   // (N): all segments are there
  std::vector<double> none;    // (N): none is
  std::vector<double> values;  // (N, count): of the coalitions
};

struct CoalitionJob {
  Network& net;
  const Tensor& x;         // (N, 3, H, W)
  const Tensor& baseline;  // (1, 3, H, W) or like x; undefined: zeros, the mean colour
  const Segments& segments;
  Target target = top1;  // top1: of each whole image, for its coalitions, too
  Progress progress = {};

  /// Runs `count` coalitions of every image, each a forward pass, as one job. Throws as expect_segments() does.
  CoalitionScores run(int64_t count, const Coalition& coalition) const;
};

/// Segments::map of each image's values (N, segments): (N, rows, columns) of a grid, else (N, H, W).
Tensor maps_of(const Segments& segments, std::span<const double> values, Dtype type);

/// The order that draws give: whoever drew the smallest number is first; of equals, the lower index.
std::vector<int64_t> order_of(std::span<const double> draws);

}  // namespace loupe
