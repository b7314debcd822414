// What results hang on besides the pictures.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/run/image_model.h"

namespace loupe {

/// Name and value: "model", "weights" (a digest of all of them), "input" (how pictures are prepared) and "device". Two
/// networks of which these are equal find the same.
std::vector<std::pair<std::string, std::string>> identity_of(const ImageModel& network,
                                                             Orientation orientation);

}  // namespace loupe
