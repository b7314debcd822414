// What `loupe segment` draws.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/image/image.h"
#include "engine/segment/grab_cut.h"

namespace loupe {

/// White inside, black outside.
Image mask_picture(const Region& mask);
/// The bytes of a PNG with an alpha channel: the picture inside the mask, and nothing around it.
std::vector<uint8_t> cut_out(const Image& photo, const Region& mask);

/// In one row, each with sides of at least 224 pixels: the photograph; the map over it (`over`, as overlay() draws it);
/// the seeds, red in front and blue behind; the outline of what was found, all else dimmed; the cut-out on a chequer.
Image steps_picture(const Image& photo, const Image& over, const std::vector<Seed>& seeds,
                    const Region& mask);

}  // namespace loupe
