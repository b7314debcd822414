#include "engine/image/resize.h"

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

constexpr int32_t kHalf = 1 << (kFixedPoint - 1);

/// Pixels between the passes.
struct Rows {
  int64_t width = 0;
  std::vector<uint8_t> rgb = {};  // (rows, width, 3)
};

/// Rows [top, bottom) of the picture `from`, along x.
Rows shrink_rows(const uint8_t* from, int64_t from_width, int64_t top, int64_t bottom, const Taps& x) {
  Rows to{std::ssize(x.first)};
  to.rgb.resize((bottom - top) * to.width * 3);
  parallel_for(bottom - top, [&](int64_t row) {
    for (int64_t o = 0; o < to.width; ++o) {
      const uint8_t* source = from + ((top + row) * from_width + x.first[o]) * 3;
      const int32_t* weight = &x.weight[o * x.most];
      int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (int64_t k = 0; k < x.count[o]; ++k) {
        red += source[3 * k] * weight[k];
        green += source[3 * k + 1] * weight[k];
        blue += source[3 * k + 2] * weight[k];
      }
      uint8_t* pixel = &to.rgb[(row * to.width + o) * 3];
      pixel[0] = to_byte(red), pixel[1] = to_byte(green), pixel[2] = to_byte(blue);
    }
  });
  return to;
}

/// Columns [left, right) of the picture `from`, along y; `top` is the number of its first row.
Rows shrink_columns(const uint8_t* from, int64_t from_width, int64_t top, int64_t left, int64_t right,
                    const Taps& y) {
  Rows to{right - left};
  const int64_t out = std::ssize(y.first), row_bytes = to.width * 3;
  to.rgb.resize(out * row_bytes);
  parallel_for(out, [&](int64_t o) {
    std::vector<int32_t> sum(row_bytes, kHalf);
    for (int64_t k = 0; k < y.count[o]; ++k) {
      const int32_t weight = y.weight[o * y.most + k];
      const uint8_t* source = from + ((y.first[o] + k - top) * from_width + left) * 3;
      for (int64_t i = 0; i < row_bytes; ++i) sum[i] += source[i] * weight;
    }
    for (int64_t i = 0; i < row_bytes; ++i) to.rgb[o * row_bytes + i] = to_byte(sum[i]);
  });
  return to;
}

}  // namespace

std::vector<uint8_t> resize_window(const Image& image, int64_t height, int64_t width, Span rows, Span columns,
                                   bool bicubic) {
  Taps x = resize_taps(image.width, width, columns.begin, columns.end, bicubic);
  const Taps y = resize_taps(image.height, height, rows.begin, rows.end, bicubic);
  // As Pillow since its version 13 has it, which rounds in between: first the pass that saves the other more.
  if (image.height > height && image.height - height > 2 * (image.width - width)) {
    const int64_t left = x.source_begin();
    const Rows low = shrink_columns(image.rgb.data(), image.width, 0, left, x.source_end(), y);
    for (int64_t& first : x.first) first -= left;
    return shrink_rows(low.rgb.data(), low.width, 0, rows.end - rows.begin, x).rgb;
  }
  const int64_t top = y.source_begin();
  const Rows narrow = shrink_rows(image.rgb.data(), image.width, top, y.source_end(), x);
  return shrink_columns(narrow.rgb.data(), narrow.width, top, 0, narrow.width, y).rgb;
}

Image resize(const Image& image, int64_t width, int64_t height, bool bicubic) {
  if (image.width < 1 || image.height < 1 || width < 1 || height < 1)
    throw Error("resize: a picture is empty");
  return {width, height, resize_window(image, height, width, {0, height}, {0, width}, bicubic)};
}

}  // namespace loupe
