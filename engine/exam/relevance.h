// Relevance: what a method says about each pixel, as one number, so that methods of any kind can be scored
// alike.
#pragma once
#include "engine/image/plane.h"
#include "engine/run/method.h"

namespace loupe {

/// The map to score: the first that is not a Picture::Style::level, which measures something at every place
/// but does not say what speaks for the class. Null where there is none.
const Map* scored_map(const Explanation& explanation);

/// One number a pixel of a height×width picture; the larger, the more the pixel speaks for the class. Only
/// the style decides:
///   magnitude, reconstruction  the largest |·| over channels (0 and up)
///   contribution               the sum over channels (signed)
///   evidence, level            the sum over channels, at the places that its grid says; of evidence only what
///                              is above zero, or Picture::from_least
/// Throws Error where a map of pixels has another size than the picture, and for a value that is not finite.
Plane relevance(const Map& map, int64_t height, int64_t width);

}  // namespace loupe
