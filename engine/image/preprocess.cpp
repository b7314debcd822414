#include "engine/image/preprocess.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/image/resize.h"
#include "kernels/common/error.h"

namespace loupe {
namespace {

/// Where the crop lies on one axis.
struct CropSide {
  Span cells;        // of the resized picture
  int64_t size = 0;  // of the input
  int64_t pad = 0;   // zeros before the cells
};

/// crop 0: all of it.
CropSide center_crop(int64_t size, int64_t crop) {
  if (crop == 0) return {{0, size}, size};
  if (crop >= size) return {{0, size}, crop, (crop - size) / 2};
  const int64_t margin = size - crop;
  // Python's round(): half to even.
  const int64_t begin = margin / 2 + (margin % 4 == 3);
  return {{begin, begin + crop}, crop};
}

constexpr int64_t kLargest = 65536;

void check(const Preprocessing& how) {
  const auto sides =
      std::minmax({how.resize, how.crop == 0 ? 1 : how.crop, how.stretched() ? how.stretch[0] : 1,
                   how.stretched() ? how.stretch[1] : 1});
  if (sides.first < 1 || sides.second > kLargest)
    throw UsageError("preprocessing: resize " + std::to_string(how.resize) + " and crop " +
                     std::to_string(how.crop) + " must be between 1 and " + std::to_string(kLargest) +
                     " pixels");
  if (how.channels != 1 && how.channels != 3)
    throw UsageError("preprocessing: photographs have 1 channel or 3, not " + std::to_string(how.channels));
  for (const float s : how.std)
    if (!(s > 0)) throw UsageError("preprocessing: every std must be above zero, got " + std::to_string(s));
}

}  // namespace

Preprocessing for_channels(Preprocessing how, int64_t channels) {
  if (channels == how.channels || (channels != 1 && channels != 3)) return how;
  how.channels = channels;
  if (channels == 1)
    for (std::array<float, 3>* values : {&how.mean, &how.std})
      values->fill(((*values)[0] + (*values)[1] + (*values)[2]) / 3);
  return how;
}

Image to_grey(const Image& image) {
  Image grey = image;
  for (size_t i = 0; i < grey.rgb.size(); i += 3) {
    const uint8_t* p = &image.rgb[i];
    const uint32_t luma = (p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16;
    grey.rgb[i] = grey.rgb[i + 1] = grey.rgb[i + 2] = static_cast<uint8_t>(luma);
  }
  return grey;
}

Tensor preprocess(const Image& image, const Preprocessing& how) {
  check(how);
  if (image.width < 1 || image.height < 1) throw Error("preprocessing: the picture is empty");
  const int64_t shorter = std::min(image.width, image.height);
  int64_t height = how.resize * image.height / shorter, width = how.resize * image.width / shorter;
  if (how.stretched()) height = how.stretch[0], width = how.stretch[1];
  const CropSide rows = center_crop(height, how.crop), columns = center_crop(width, how.crop);
  if (rows.size > kLargest || columns.size > kLargest)
    throw UsageError("preprocessing: the whole picture, " + std::to_string(width) + "×" +
                     std::to_string(height) + " pixels after the resize, is larger than " +
                     std::to_string(kLargest) + "; crop it");
  const std::vector<uint8_t> pixels = resize_window(how.channels == 1 ? to_grey(image) : image, height, width,
                                                    rows.cells, columns.cells, how.bicubic);

  Tensor x(Dtype::f32, {1, how.channels, rows.size, columns.size});
  float* to = x.values<float>().data();
  const int64_t plane = rows.size * columns.size, width_in = columns.cells.end - columns.cells.begin;
  for (int64_t c = 0; c < how.channels; ++c) {
    float value[256];  // of each byte, with ToTensor's and Normalize's roundings
    for (int v = 0; v < 256; ++v)
      value[v] = (static_cast<float>(v) / 255.0f - how.mean[static_cast<size_t>(c)]) /
                 how.std[static_cast<size_t>(c)];
    std::fill_n(to + c * plane, plane, value[0]);
    for (int64_t h = 0; h < rows.cells.end - rows.cells.begin; ++h)
      for (int64_t w = 0; w < width_in; ++w)
        to[c * plane + (h + rows.pad) * columns.size + w + columns.pad] =
            value[pixels[(h * width_in + w) * 3 + c]];
  }
  return x;
}

Image to_image(const Tensor& x, const Preprocessing& how) {
  const Shape& s = x.shape();
  const int rank = s.rank();
  if (!((rank == 3 || (rank == 4 && s[0] == 1)) && s[rank - 3] == how.channels && s.numel() > 0)) {
    const std::string channels = std::to_string(how.channels);
    throw Error("a picture is drawn of a tensor (1, " + channels + ", H, W) or (" + channels +
                ", H, W), not " + s.str());
  }
  const Tensor values = x.to(Dtype::f64);
  const auto from = values.values<const double>();
  const int64_t plane = s[rank - 1] * s[rank - 2];
  Image image{s[rank - 1], s[rank - 2], std::vector<uint8_t>(3 * plane)};
  for (int64_t c = 0; c < 3; ++c) {
    const int64_t channel = c % how.channels;  // grey: the one for all three
    const double mean = how.mean[static_cast<size_t>(channel)], std = how.std[static_cast<size_t>(channel)];
    for (int64_t i = 0; i < plane; ++i) {
      const double v = (from[channel * plane + i] * std + mean) * 255;
      // Written so that NaN becomes 0.
      image.rgb[i * 3 + c] = v > 0 ? static_cast<uint8_t>(std::min(v, 255.0) + 0.5) : uint8_t{0};
    }
  }
  return image;
}

}  // namespace loupe
