// A picture in another size, as Pillow makes it: antialiased, to the bit.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/image/image.h"

namespace loupe {

/// The picture in width×height pixels, to the bit as Pillow 13 resizes 8-bit RGB: bilinear or bicubic (Keys 1981,
/// a = −1/2), with the filter stretched where the picture shrinks. Rows come before columns, except where the height
/// shrinks by more than twice as many pixels as the width. Throws Error where a side is below 1.
Image resize(const Image& image, int64_t width, int64_t height, bool bicubic = false);

/// Cells [begin, end) of one axis.
struct Span {
  int64_t begin, end;
};
/// The same of a window of the resized picture alone, (rows, columns, 3): a picture of any shape is then cheap.
std::vector<uint8_t> resize_window(const Image& image, int64_t height, int64_t width, Span rows, Span columns,
                                   bool bicubic);

}  // namespace loupe
