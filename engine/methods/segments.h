// Segments: a picture cut into parts that methods remove and put back. A grid, superpixels, or a file's.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/plan/windows.h"
#include "engine/run/method.h"
#include "kernels/common/draws.h"

namespace loupe {

struct Segments {
  int64_t height = 0, width = 0;
  int64_t count = 0;
  std::vector<int32_t> labels;  // (height, width), row-major, in [0, count); none is empty
  /// Of a grid: its cells' sides in pixels, but for those at the right and lower edge, which may be cut; segment
  /// (y div cell_height)·columns + x div cell_width. Else 0.
  int64_t cell_height = 0, cell_width = 0;

  bool is_grid() const { return cell_height > 0; }
  /// One value a segment as a map: (rows, columns) of a grid, else (height, width); `type` f32 or f64.
  Tensor map(std::span<const double> values, Dtype type) const;
  /// The smallest rectangle around each segment.
  std::vector<Rect> boxes() const;
  /// How such a map of signed shares is drawn: a grid's as squares.
  Picture picture() const;
};

/// Cells of ⌈H/g⌉ × ⌈W/g⌉ pixels: g×g of them, or fewer where that many are not needed to cover the picture. Throws
/// UsageError where g is below 1, or above a side of the picture.
Segments grid_segments(int64_t height, int64_t width, int64_t g);
/// A .npy file of labels (H, W), whole numbers of any kind, or a picture (PNG) of H×W pixels whose colours are labels.
/// Segments are counted in the order of the labels, of a picture in that of their first pixel. Throws Error, one line,
/// where the file cannot be read, or is of another size.
Segments read_segments(const std::string& path, int64_t height, int64_t width);

/// segments, grid, count, compactness and baseline: the options of a method that takes segments.
std::vector<OptionSpec> segment_options();
/// What those options of a method ask for, of the picture that the input (1, 3, H, W) shows. Throws UsageError or Error.
Segments segments_of(const Question& q, const Options& o, const std::string& method);
/// What a segment that is away shows, like the input: the one baseline (engine/methods/baseline.h) that the option of the
/// method names. Throws UsageError for a set of them, and what baselines() throws.
Tensor segment_baseline(const Question& q, const Options& o, const std::string& method,
                        const Draws& draws = Draws());
/// Throws UsageError for options that do not fit inputs of that shape; reads no file.
void check_segment_options(const Shape& input, const Options& o);
/// A coarser grid for a picture so small that the default's cells would be less than 4 pixels wide; and where the method
/// has so many samples by default, then a quarter of them.
void fit_segments(const Shape& input, Options& o, int64_t samples = 0);

}  // namespace loupe
