// Small pictures of equal size beside each other.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "engine/image/image.h"

namespace loupe {

/// Rows [crop[0], crop[2]) and columns [crop[1], crop[3]) of a picture, which has them.
Image cut(const Image& picture, const std::array<int32_t, 4>& crop);
/// The picture as large as it goes into a square, in its middle, on grey: pixels become squares, or it is shrunk.
Image fitted(const Image& picture, int64_t side);
/// Squares of `side` pixels in rows of `columns`, with a gap of white between them.
Image tiled(std::span<const Image> squares, int64_t columns, int64_t side);

/// How large tiles are, of strips and of pages.
inline constexpr int64_t kTile = 56, kGap = 2;

}  // namespace loupe
