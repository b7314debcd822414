#include "engine/image/preprocess.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/common/error.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

constexpr int kFixedPoint = 22;  // fractional bits of a weight, as PIL has them for 8-bit pixels

/// One axis of a resize: which source cells each output cell averages, and with what weights.
struct Taps {
  std::vector<int64_t> first, count;  // source cells [first, first + count) of an output cell
  std::vector<int32_t> weight;        // (output cells, most), fixed point
  int64_t most;                       // the largest count

  int64_t source_begin() const { return first.front(); }  // both ends grow with the output cell
  int64_t source_end() const { return first.back() + count.back(); }
};

/// The triangle: 1 at distance 0, 0 from 1 on.
double bilinear_weight(double distance) { return distance < 1 ? 1 - distance : 0; }

/// The cubic of Keys 1981 with a = −1/2: 1 at distance 0, 0 at 1, below zero up to 2.
double bicubic_weight(double x) {
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/// Antialiased weights from `in` to `out` cells for the output cells [begin, end). Distances are counted in
/// output cells when shrinking, in source cells when enlarging. Every expression is PIL's, for the same
/// roundings.
Taps resize_taps(int64_t in, int64_t out, int64_t begin, int64_t end, bool bicubic) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double cell = std::max(scale, 1.0), support = bicubic ? 2 * cell : cell;
  Taps taps;
  taps.most = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  taps.weight.resize(static_cast<size_t>((end - begin) * taps.most));
  std::vector<double> w(static_cast<size_t>(taps.most));
  for (int64_t o = begin; o < end; ++o) {
    const double center = (static_cast<double>(o) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t count = std::min(in, static_cast<int64_t>(center + support + 0.5)) - first;
    double sum = 0;
    for (int64_t k = 0; k < count; ++k) {
      const double distance = std::abs((static_cast<double>(k + first) - center + 0.5) * (1.0 / cell));
      w[k] = bicubic ? bicubic_weight(distance) : bilinear_weight(distance);
      sum += w[k];
    }
    for (int64_t k = 0; k < count; ++k)
      taps.weight[(o - begin) * taps.most + k] =
          static_cast<int32_t>((w[k] < 0 ? -0.5 : 0.5) + w[k] / sum * (1 << kFixedPoint));
    taps.first.push_back(first);
    taps.count.push_back(count);
  }
  return taps;
}

uint8_t to_byte(int32_t fixed) { return static_cast<uint8_t>(std::clamp(fixed >> kFixedPoint, 0, 255)); }

/// Where the crop lies on one axis.
struct CropSide {
  int64_t begin, end;  // of the resized picture's cells
  int64_t pad;         // zeros before them
};

CropSide center_crop(int64_t size, int64_t crop) {
  if (crop >= size) return {0, size, (crop - size) / 2};
  const int64_t margin = size - crop;
  // Python's round(): half to even.
  const int64_t begin = margin / 2 + (margin % 4 == 3);
  return {begin, begin + crop, 0};
}

/// The window of the picture resized to (height, width): rows first along x, then along y, rounded to 8 bits
/// in between.
std::vector<uint8_t> resize_crop(const Image& image, int64_t height, int64_t width, CropSide rows,
                                 CropSide columns, bool bicubic) {
  const Taps x = resize_taps(image.width, width, columns.begin, columns.end, bicubic);
  const Taps y = resize_taps(image.height, height, rows.begin, rows.end, bicubic);
  const int64_t out_h = rows.end - rows.begin, row_bytes = (columns.end - columns.begin) * 3;
  constexpr int32_t kHalf = 1 << (kFixedPoint - 1);

  const int64_t top = y.source_begin();
  std::vector<uint8_t> narrow((y.source_end() - top) * row_bytes);  // (source rows, output columns, 3)
  parallel_for(y.source_end() - top, [&](int64_t row) {
    for (int64_t o = 0; o < columns.end - columns.begin; ++o) {
      const uint8_t* source = image.pixel(top + row, x.first[o]);
      const int32_t* weight = &x.weight[o * x.most];
      int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (int64_t k = 0; k < x.count[o]; ++k) {
        red += source[3 * k] * weight[k];
        green += source[3 * k + 1] * weight[k];
        blue += source[3 * k + 2] * weight[k];
      }
      uint8_t* to = &narrow[row * row_bytes + 3 * o];
      to[0] = to_byte(red), to[1] = to_byte(green), to[2] = to_byte(blue);
    }
  });

  std::vector<uint8_t> result(out_h * row_bytes);
  std::vector<int32_t> sums(out_h * row_bytes, kHalf);
  parallel_for(out_h, [&](int64_t o) {
    int32_t* sum = &sums[o * row_bytes];
    for (int64_t k = 0; k < y.count[o]; ++k) {
      const int32_t weight = y.weight[o * y.most + k];
      const uint8_t* source = &narrow[(y.first[o] + k - top) * row_bytes];
      for (int64_t i = 0; i < row_bytes; ++i) sum[i] += source[i] * weight;
    }
    for (int64_t i = 0; i < row_bytes; ++i) result[o * row_bytes + i] = to_byte(sum[i]);
  });
  return result;
}

void check(const Preprocessing& how) {
  constexpr int64_t kLargest = 65536;
  if (how.resize < 1 || how.resize > kLargest || how.crop < 1 || how.crop > kLargest)
    throw UsageError("preprocessing: resize " + std::to_string(how.resize) + " and crop " +
                     std::to_string(how.crop) + " must be between 1 and " + std::to_string(kLargest) +
                     " pixels");
  for (const float s : how.std)
    if (!(s > 0)) throw UsageError("preprocessing: every std must be above zero, got " + std::to_string(s));
}

}  // namespace

Tensor preprocess(const Image& image, const Preprocessing& how) {
  check(how);
  if (image.width < 1 || image.height < 1) throw Error("preprocessing: the picture is empty");
  const int64_t shorter = std::min(image.width, image.height);
  const int64_t height = how.resize * image.height / shorter, width = how.resize * image.width / shorter;
  const CropSide rows = center_crop(height, how.crop), columns = center_crop(width, how.crop);
  const std::vector<uint8_t> pixels = resize_crop(image, height, width, rows, columns, how.bicubic);

  Tensor x(Dtype::f32, {1, 3, how.crop, how.crop});
  float* to = x.values<float>().data();
  const int64_t plane = how.crop * how.crop, columns_in = columns.end - columns.begin;
  for (int64_t c = 0; c < 3; ++c) {
    float value[256];  // of each byte, with ToTensor's and Normalize's roundings
    for (int v = 0; v < 256; ++v)
      value[v] = (static_cast<float>(v) / 255.0f - how.mean[static_cast<size_t>(c)]) /
                 how.std[static_cast<size_t>(c)];
    std::fill_n(to + c * plane, plane, value[0]);
    for (int64_t h = 0; h < rows.end - rows.begin; ++h)
      for (int64_t w = 0; w < columns_in; ++w)
        to[c * plane + (h + rows.pad) * how.crop + w + columns.pad] =
            value[pixels[(h * columns_in + w) * 3 + c]];
  }
  return x;
}

Image to_image(const Tensor& x, const Preprocessing& how) {
  const Shape& s = x.shape();
  const int rank = s.rank();
  if (!((rank == 3 || (rank == 4 && s[0] == 1)) && s[rank - 3] == 3 && s.numel() > 0))
    throw Error("a picture is drawn of a tensor (1, 3, H, W) or (3, H, W), not " + s.str());
  const Tensor values = x.to(Dtype::f64);
  const auto from = values.values<const double>();
  Image image{s[rank - 1], s[rank - 2], std::vector<uint8_t>(s.numel())};
  const int64_t plane = image.width * image.height;
  for (int64_t c = 0; c < 3; ++c) {
    const double mean = how.mean[static_cast<size_t>(c)], std = how.std[static_cast<size_t>(c)];
    for (int64_t i = 0; i < plane; ++i) {
      const double v = (from[c * plane + i] * std + mean) * 255;
      // Written so that NaN becomes 0.
      image.rgb[i * 3 + c] = v > 0 ? static_cast<uint8_t>(std::min(v, 255.0) + 0.5) : uint8_t{0};
    }
  }
  return image;
}

}  // namespace loupe
