// Scenery: all that is in a picture and is of no class.
#pragma once
#include "models/zoo/canvas.h"
#include "models/zoo/random.h"

namespace loupe::zoo {

/// Fills the picture.
void paint_background(Canvas& canvas, Background kind, const Random& random);
/// Up to three balls, stones, trees, clouds, boxes, plants or fences, anywhere.
void paint_distractors(Canvas& canvas, const Random& random);
/// In some pictures, something in front: blades of grass, a branch, a bar or a disc. It covers at most
/// kMostCovered of what can be seen of any object.
void paint_occluder(Canvas& canvas, const Random& random);
inline constexpr float kMostCovered = 0.2f;

}  // namespace loupe::zoo
