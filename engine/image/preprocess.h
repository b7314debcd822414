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
  int64_t crop = 224;                                 // pixels of both sides; 0: no crop
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};  // of red, green, blue in [0, 1]; of grey the first
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};
  bool bicubic = false;  // the resize; else bilinear
  std::array<int64_t, 2> stretch =
      {};                // Resize((height, width)), whatever the picture's shape, instead of `resize`
  int64_t channels = 3;  // 1: pictures become grey first, as Pillow's convert("L")

  bool stretched() const { return stretch[0] != 0; }
};

/// The same for pictures of that many channels: of one, with the means over red, green and blue of mean and std. Other
/// numbers than 1 and 3, for which no photograph can be prepared, leave it as it is.
Preprocessing for_channels(Preprocessing how, int64_t channels);

/// The input (1, channels, H, W), float32, where H and W are `crop`, or what the resize leaves. The resize is PIL's
/// antialiased one to the bit; only the pixels inside the crop are computed, so that a picture of any aspect ratio is
/// cheap. A crop larger than the resized picture is padded with black. Throws UsageError if a size or a std is not
/// positive, a size is above 65,536, or there are neither 1 nor 3 channels.
Tensor preprocess(const Image& image, const Preprocessing& how = {});

/// Every channel as Pillow's conversion to `L` has it (ITU-R BT.601, 16 fractional bits).
Image to_grey(const Image& image);

/// The picture that an input (1, channels, H, W) or (channels, H, W) of f32 or f64 shows: un-normalised,
/// rounded, clamped to 8 bits (NaN as 0). Throws Error for another shape or type.
Image to_image(const Tensor& x, const Preprocessing& how = {});

}  // namespace loupe
