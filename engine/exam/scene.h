// Scene: a picture about which the truth is known, as metrics use it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace loupe {

/// Some of a picture's pixels.
struct Region {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> inside = {};  // (height, width), row-major, 0 or 1

  bool at(int64_t y, int64_t x) const { return inside[static_cast<size_t>(y * width + x)] != 0; }
  int64_t count() const;
};

struct NamedRegion {
  std::string name;
  Region region;
};

/// One thing of a class, and where it can be seen.
struct SceneObject {
  int64_t cls = 0;
  Region region = {};
  std::vector<NamedRegion> parts = {};  // those that can be seen
};

struct Scene {
  Tensor input;  // (1, 3, H, W), preprocessed
  std::vector<SceneObject> objects = {};
};

}  // namespace loupe
