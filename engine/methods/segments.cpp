#include "engine/methods/segments.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/image/slic.h"
#include "engine/methods/baseline.h"
#include "engine/tensor/npy.h"

namespace loupe {
namespace {

constexpr int64_t kGrid = 7, kLeastCell = 4;

std::string pixels(int64_t height, int64_t width) {
  return std::to_string(height) + "x" + std::to_string(width) + " pixels";
}

// Segments of labels of any kind, counted in the order of `Label`, or in that of their first pixel.
template <typename Label>
Segments counted(const std::vector<Label>& labels, int64_t height, int64_t width, bool by_label) {
  std::map<Label, int32_t> numbers;
  for (const Label& l : labels) numbers.emplace(l, static_cast<int32_t>(numbers.size()));
  if (by_label) {
    int32_t next = 0;
    for (auto& [label, number] : numbers) number = next++;
  }
  Segments s{.height = height, .width = width, .count = std::ssize(numbers), .labels = {}};
  for (const Label& l : labels) s.labels.push_back(numbers.at(l));
  return s;
}

Segments segments_of_array(const std::string& path, int64_t height, int64_t width) {
  const Tensor array = read_npy(path);
  if (array.shape() != Shape{height, width})
    throw UsageError("'" + path + "' holds labels " + array.shape().str() + ", but the input has " +
                     pixels(height, width));
  std::vector<double> labels;
  for (int64_t i = 0; i < array.numel(); ++i) {
    labels.push_back(array.item(i));
    if (!std::isfinite(labels.back()) || labels.back() != std::floor(labels.back()))
      throw Error("'" + path + "' holds a label that is not a whole number, at row " +
                  std::to_string(i / width) + ", column " + std::to_string(i % width));
  }
  return counted(labels, height, width, true);
}

Segments segments_of_picture(const std::string& path, int64_t height, int64_t width) {
  const Image image = read_image(path, Orientation::ignore);
  if (image.height != height || image.width != width)
    throw UsageError("'" + path + "' has " + pixels(image.height, image.width) + ", but the input has " +
                     pixels(height, width));
  std::vector<int32_t> colours;
  for (int64_t p = 0; p < height * width; ++p) {
    const uint8_t* rgb = image.rgb.data() + 3 * p;
    colours.push_back(rgb[0] << 16 | rgb[1] << 8 | rgb[2]);
  }
  return counted(colours, height, width, false);
}

}  // namespace

Tensor Segments::map(std::span<const double> values, Dtype type) const {
  if (std::ssize(values) != count)
    throw Error(std::to_string(values.size()) + " values for " + std::to_string(count) + " segments");
  if (is_grid()) {
    const int64_t columns = ceil_div(width, cell_width);
    return Tensor::from(values, {count / columns, columns}).to(type);
  }
  const Tensor map(Dtype::f64, {height, width});
  for (size_t p = 0; p < labels.size(); ++p) map.values<double>()[p] = values[static_cast<size_t>(labels[p])];
  return map.to(type);
}

std::vector<Rect> Segments::boxes() const {
  std::vector<Rect> boxes(static_cast<size_t>(count), {height, width, 0, 0});
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      Rect& r = boxes[static_cast<size_t>(labels[static_cast<size_t>(y * width + x)])];
      const int64_t bottom = y + 1, right = std::max(r.x + r.w, x + 1);  // rows come from above
      r.x = std::min(r.x, x);
      r.y = std::min(r.y, y);
      r.h = bottom - r.y;
      r.w = right - r.x;
    }
  return boxes;
}

Picture Segments::picture() const {
  Picture picture{.style = Picture::Style::contribution};
  if (is_grid())
    picture.grid = Grid{static_cast<double>(cell_height - 1) / 2, static_cast<double>(cell_width - 1) / 2,
                        static_cast<double>(cell_height), static_cast<double>(cell_width), true};
  return picture;
}

Segments grid_segments(int64_t height, int64_t width, int64_t g) {
  if (g < 1 || g > std::min(height, width))
    throw UsageError("a grid of " + std::to_string(g) + "x" + std::to_string(g) +
                     " segments does not fit a picture of " + pixels(height, width));
  Segments s{.height = height,
             .width = width,
             .labels = {},
             .cell_height = ceil_div(height, g),
             .cell_width = ceil_div(width, g)};
  const int64_t columns = ceil_div(width, s.cell_width);
  s.count = ceil_div(height, s.cell_height) * columns;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      s.labels.push_back(static_cast<int32_t>(y / s.cell_height * columns + x / s.cell_width));
  return s;
}

Segments read_segments(const std::string& path, int64_t height, int64_t width) {
  return path.ends_with(".npy") ? segments_of_array(path, height, width)
                                : segments_of_picture(path, height, width);
}

std::vector<OptionSpec> segment_options() {
  return {
      {"segments", std::string("grid"),
       "what is removed as one: grid, squares; slic, superpixels (Achanta 2012); or the path of a .npy file "
       "with labels (H, W), or of a PNG of the input's size whose colours are labels"},
      {"grid", kGrid, "squares along a side of the picture", 1, 65536},
      {"count", int64_t{50}, "about so many superpixels", 1, 1 << 30},
      {"compactness", 10.0, "of superpixels: how much nearness counts beside likeness of colour", 1e-3, 1e6},
      {"baseline", std::string("zero"),
       "what a segment that is away shows: zero (the mean colour), black, white, mean (the picture's own "
       "mean colour), blur, noise, or the path of a picture or of a .npy or .safetensors file with the "
       "preprocessed numbers"}};
}

Segments segments_of(const Question& q, const Options& o, const std::string& method) {
  const int64_t height = q.input.shape()[2], width = q.input.shape()[3];
  const std::string& how = o.text("segments");
  if (how == "grid") return grid_segments(height, width, o.integer("grid"));
  if (how != "slic") try {
      return read_segments(how, height, width);
    } catch (const UsageError&) {
      throw;
    } catch (const Error& e) {
      throw Error("--" + method + ".segments is grid, slic, or the path of a file: " + e.what());
    }
  const Superpixels found =
      slic(to_image(q.input, q.model.preprocessing), o.integer("count"), o.number("compactness"));
  return {.height = height, .width = width, .count = found.count, .labels = found.labels};
}

Tensor segment_baseline(const Question& q, const Options& o, const std::string& method, const Draws& draws) {
  const std::string option = "--" + method + ".baseline";
  const std::vector<Baseline> set = baselines(q.model, q.input, o.text("baseline"), option, draws);
  if (set.size() != 1) throw UsageError(option + " takes one baseline, not " + std::to_string(set.size()));
  return set[0].values;
}

void check_segment_options(const Shape& input, const Options& o) {
  const int64_t height = input[2], width = input[3];
  const std::string& how = o.text("segments");
  if (how.empty()) throw UsageError("segments are grid, slic, or the path of a file, not ''");
  if (how == "grid") grid_segments(height, width, o.integer("grid"));
  if (how == "slic" && o.integer("count") > height * width)
    throw UsageError(std::to_string(o.integer("count")) + " superpixels are more than the " +
                     std::to_string(height * width) + " pixels of the picture");
}

void fit_segments(const Shape& input, Options& o, int64_t samples) {
  const int64_t cells = std::clamp<int64_t>(std::min(input[2], input[3]) / kLeastCell, 1, kGrid);
  o.suggest("grid", cells);
  if (samples > 0 && cells < kGrid) o.suggest("samples", ceil_div(samples, 4));
  o.suggest("count", std::min<int64_t>(50, ceil_div(input[2] * input[3], kLeastCell * kLeastCell)));
}

}  // namespace loupe
