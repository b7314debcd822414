// From an attribution map to a picture that people can read.
#pragma once
#include "engine/image/image.h"
#include "engine/image/picture.h"
#include "engine/image/preprocess.h"
#include "engine/tensor/tensor.h"

namespace loupe {

/// Draws `map` over the photograph that the input `x` shows.
///
/// x: (1, 3, H, W) or (3, H, W). map: (1, C, h, w), (C, h, w) or (h, w), f32 or f64; h×w is H×W or a
/// coarser grid, which is interpolated smoothly between its cells or drawn as squares, as the picture says.
/// The picture is W×H; inputs below 224 pixels are enlarged by a whole number. A map of zeros leaves the
/// dimmed photograph (or plain grey); infinities are the strongest colour; NaN shows as a magenta and black
/// chequer. Throws Error where shapes or types do not fit.
Image overlay(const Tensor& x, const Tensor& map, const Picture& picture = {}, const Preprocessing& how = {});

}  // namespace loupe
