// What is done to the pixels between two steps (Yosinski et al. 2015, "Understanding Neural Networks Through Deep
// Visualization", section 3.1): blurred, and cleared where they do little. Planes are (channels, height, width).
#pragma once
#include <cstdint>
#include <span>

namespace loupe {

/// Each plane under a Gaussian of that deviation in pixels, cut at three deviations; at the edges mirrored. 0 changes
/// nothing.
void gaussian_blur(double deviation, std::span<double> x, int64_t height, int64_t width);

/// Sets to 0 the pixels whose colours' norm, over channels, is below that percentile of all pixels.
void clear_small_norms(double percentile, std::span<double> x, int64_t channels);

/// Sets to 0 the pixels of which |Σ_c x·g| is below that percentile: what the objective would lose without the pixel, to
/// first order.
void clear_small_contributions(double percentile, std::span<double> x, std::span<const double> gradient,
                               int64_t channels);

}  // namespace loupe
