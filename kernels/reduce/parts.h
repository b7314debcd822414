// Parts: how a device cuts the sum behind a parameter's gradient into the work of many blocks.
//
// Such a sum runs over every pixel of every image of a batch, and a layer has few parameters beside them: the
// weights of VGG-16's second convolution are 9 tiles of 64 × 64 sums, which would leave most of a GPU idle.
// So the pixels are cut into parts, a block adds up one of them, and a second kernel adds the parts up, in
// order. The rule knows the layer alone, the pixels of one image and the warps that a part keeps busy; never
// the batch, never the device:
//
//   an image has `of_image` parts, or a part has `together` images, about as many as make `enough` warps of
//   32 images, but no shorter than about `shortest` pixels
//
// The parts of an image are added up first, then images, so that to the bit
//
//   gradient of a batch = ((g₀ + g₁) + g₂) + …     gᵢ: the gradient of images i·together … (i + 1)·together
//
// whatever the schedule, and however the batch is cut into such groups of images (`together` is 1 for most
// layers with maps, and more where maps are small).
//
// What it costs: a sum of a part is written and read once more. In a tile of R × C sums over L pixels these
// are 2·R·C floats beside the (R + C)·L that the tile reads: R·C / (R + C) · 2 / L of them, for L = 1024 an
// eighth at 128 × 128 and a sixteenth at 64 × 64. (Where maps are small and weights many, that is more than to
// read the operands once: there the measure is time, 8 bytes for L multiply-adds; at 3.35 TB/s and 33.5 · 10¹²
// of them a second a twelfth.) A plain sum's are 2 beside L. The scratch that holds them is at most
// `most_floats` or one group of images; a larger batch goes some groups at a time, in the same order.
#pragma once
#include <string>

#include "kernels/common/array.h"
#include "kernels/common/device.h"

namespace loupe {

struct Parts {
  static constexpr int64_t kAllImages = int64_t{1} << 40;
  static constexpr int64_t kMostFloats = int64_t{1} << 25;  // 128 MiB

  int64_t images = 1, pixels = 1;     // of the batch; of an image
  int64_t of_image = 1, length = 1;   // parts of an image; pixels of one, at most
  int64_t together = kAllImages;      // images of a part; 1 where of_image is more
  int64_t most_floats = kMostFloats;  // of scratch

  /// What a layer asks for: warps in 32 images, and pixels of a part.
  struct Work {
    int64_t enough, shortest;
  };
  static constexpr Work kTiles{8192, 1024};     // products: some five waves of 12 warps a multiprocessor
  static constexpr Work kChannels{4096, 1024};  // sums of channels: half of all warps, 256 threads a part
  static constexpr Work kRows{4096, 256};       // sums over rows: 8 warps a part

  /// `warps`: what one part keeps busy.
  static Parts of(int64_t images, int64_t pixels, int64_t warps, Work);
  /// The sum in one piece, however long.
  static Parts whole(int64_t images, int64_t pixels) {
    return {.images = images, .pixels = pixels, .length = pixels};
  }
  /// Sums over the pixels of each channel of (images, channels, pixels): 8 warps a channel.
  static Parts of_channels(int64_t images, int64_t channels, int64_t pixels);
  /// Sums over the rows of each column of (images, rows, columns): 8 warps for 32 columns.
  static Parts of_rows(int64_t images, int64_t rows, int64_t columns);

  /// Images [image, image_end), of each the pixels [pixel, pixel_end). Counted through the batch these are
  /// the pixels [begin, end).
  struct Part {
    int64_t image, image_end, pixel, pixel_end, begin, end;
  };
  constexpr Part part(int64_t i) const {
    const int64_t group = i / of_image, image = group * together, pixel = (i - group * of_image) * length;
    const int64_t image_end = image + together < images ? image + together : images;
    const int64_t pixel_end = pixel + length < pixels ? pixel + length : pixels;
    return {image, image_end, pixel, pixel_end, image * pixels + pixel, (image_end - 1) * pixels + pixel_end};
  }
  /// Groups of images, whose sums are added up in order; parts of all of them.
  constexpr int64_t groups() const { return ceil_div(images, together); }
  constexpr int64_t count() const { return groups() * of_image; }
  /// Of a gradient of `sums` elements: the groups that are worked on at once, and the scratch they need. None,
  /// where there is one part alone: its sums are the result.
  constexpr int64_t groups_at_once(int64_t sums) const {
    const int64_t fit = most_floats / (of_image * sums), most = fit > 1 ? fit : 1;
    return ceil_div(groups(), ceil_div(groups(), most));
  }
  constexpr int64_t scratch_floats(int64_t sums) const {
    return count() == 1 ? 0 : groups_at_once(sums) * of_image * sums;
  }
  /// ", 14 parts an image: 4032 blocks", where a part is the work of so many blocks; ", 14 parts an image".
  std::string describe(int64_t blocks) const;
  std::string describe() const;
};

namespace device {  // sums.cu; scratch: scratch_floats(c) floats, scratch_floats(columns)
/// sums[k] = Σ x[:, k, :] / divisor; x (images, c, pixels).
inline constexpr DeviceFunction<void(Parts, int64_t c, float divisor, const float* x, float* sums,
                                     float* scratch)>
    channel_sums{"channel_sums"};
/// sums (columns) = Σ over the rows of x (images · pixels, columns): the vjp to a bias.
inline constexpr DeviceFunction<void(Parts, int64_t columns, const float* x, float* sums, float* scratch)>
    column_sums{"column_sums"};
}  // namespace device

}  // namespace loupe
