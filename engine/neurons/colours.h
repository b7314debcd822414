// Colours along the axes on which the colours of photographs vary independently.
#pragma once
#include <array>
#include <cstdint>
#include <span>

namespace loupe {

/// Colours v of photographs have a covariance C = A·Aᵀ; numbers d with v = A·d + mean are uncorrelated. A is the square
/// root of ImageNet's colours' covariance by their singular vectors, scaled so that its longest column is 1 (Olah,
/// Mordvintsev & Schubert 2017, "Feature Visualization", appendix on preconditioning). Of pictures that have not three
/// channels A is the identity.
extern const std::array<std::array<double, 3>, 3> kColourAxes;

/// planes: (channels, pixels), in place. d → A·d; a gradient by v → one by d, Aᵀ·g; v → A⁻¹·v.
void correlate(std::span<double> planes, int64_t channels);
void pull_correlate(std::span<double> planes, int64_t channels);
void decorrelate(std::span<double> planes, int64_t channels);

}  // namespace loupe
