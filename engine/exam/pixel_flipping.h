// Pixel flipping: does the answer fall when the relevant pixels are inverted?
#pragma once
#include <cstdint>

#include "engine/exam/perturbation.h"
#include "engine/image/preprocess.h"

namespace loupe {

/// The picture's negative: black for white and white for black, each channel, in the input's normalised units.
Tensor negative(const Tensor& x, const Preprocessing& how);

/// From the picture x (1, C, H, W) to `flipped`, the most relevant pixels first. Bach, Binder, Montavon,
/// Klauschen, Müller & Samek 2015, "On pixel-wise explanations for non-linear classifier decisions by layer-
/// wise relevance propagation", who invert the pixels of digits. Quantus 0.6 gives each flipped value the
/// smallest number of all pictures of its batch, if no other is asked for, flips the channels of a pixel as
/// features of their own, in an order that its sort leaves open, and leaves out the picture as it was.
Curve pixel_flipping(Network& net, const Tensor& x, const Tensor& flipped, int64_t cls, const Plane& map,
                     int64_t steps);

}  // namespace loupe
