// Species: how the things of one class look. One file a class in models/zoo/species/.
//
// draw() paints one individual in its own coordinates: x to the front (it looks to the right), y up, about
// two units long; where the middle is does not matter, since the scene measures what is painted, then flips,
// turns, scales and moves it into the picture. Paint what is far before what is near. Everything that varies
// between individuals (colours, pose of the limbs) comes from `random`, by name.
#pragma once
#include <initializer_list>
#include <span>
#include <string_view>

#include "models/zoo/canvas.h"
#include "models/zoo/random.h"

namespace loupe::zoo {

struct Species {
  /// The parts that paint() may name.
  std::span<const std::string_view> parts;
  void (*draw)(Canvas& canvas, const Random& random);
};

/// In the order of labels().
std::span<const Species* const> all_species();

}  // namespace loupe::zoo
