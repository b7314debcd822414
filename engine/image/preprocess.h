// From a photograph to a network's input, and back.
#pragma once
#include <array>
#include <cstdint>

#include "engine/image/image.h"
#include "engine/tensor/tensor.h"

namespace loupe {

/// How torchvision prepares a photograph: Resize(resize), CenterCrop(crop), ToTensor(), Normalize(mean, std).
/// The default is what its ImageNet models were trained with.
struct Preprocessing {
  int64_t resize = 256;                               // pixels of the shorter side
  int64_t crop = 224;                                 // pixels of both sides
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};  // of red, green, blue in [0, 1]
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};
  bool bicubic = false;  // the resize; else bilinear
};

/// The input (1, 3, crop, crop), float32. The resize is PIL's antialiased one to the bit; only the
/// pixels inside the crop are computed, so that a picture of any aspect ratio is cheap. A crop larger than
/// the resized picture is padded with black. Throws UsageError if a size or a std is not positive, or a size
/// is above 65,536.
Tensor preprocess(const Image& image, const Preprocessing& how = {});

/// The picture that an input (1, 3, H, W) or (3, H, W) of f32 or f64 shows: un-normalised, rounded, clamped
/// to 8 bits (NaN as 0). Throws Error for another shape or type.
Image to_image(const Tensor& x, const Preprocessing& how = {});

}  // namespace loupe
