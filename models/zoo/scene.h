#pragma once
#include <cstdint>

#include "engine/exam/scene.h"
#include "engine/image/preprocess.h"

namespace loupe::zoo {

/// Picture `index` of the set `seed` with 1 or 2 objects, as a network sees it and as metrics score it. A
/// pixel is an object's, or a part's, where that covers at least half of it; what covers no pixel so far is
/// left out of the parts. Throws as draw() does.
Scene scene(uint64_t seed, int64_t index, int objects, const Preprocessing& how);

}  // namespace loupe::zoo
