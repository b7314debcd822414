// Segments: grids, superpixels and files of labels.
#include "engine/methods/segments.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <set>

#include "engine/image/slic.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"
#include "tests/support/pictures.h"

namespace loupe::test {
namespace {

int32_t label(const Segments& s, int64_t y, int64_t x) {
  return s.labels[static_cast<size_t>(y * s.width + x)];
}

// Left dark, right bright, with an edge that leans; three squares of other colours on it.
Image scene(int64_t height, int64_t width) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      const bool right = 2 * x + y > width + height / 2;
      uint8_t* p = image.pixel(y, x);
      p[0] = right ? 220 : 30, p[1] = right ? 200 : 60, p[2] = right ? 40 : 120;
      if (y / 16 % 3 == 1 && x / 16 % 3 == 1) p[0] = 10, p[1] = 160, p[2] = 60;
    }
  return image;
}

// Of each label, how many pieces connected by sides it has.
std::vector<int> pieces(const Superpixels& s, int64_t height, int64_t width) {
  std::vector<int> found(static_cast<size_t>(s.count), 0);
  std::vector<bool> seen(s.labels.size(), false);
  for (int64_t start = 0; start < height * width; ++start) {
    if (seen[static_cast<size_t>(start)]) continue;
    const int32_t own = s.labels[static_cast<size_t>(start)];
    ++found[static_cast<size_t>(own)];
    std::vector<int64_t> open{start};
    seen[static_cast<size_t>(start)] = true;
    while (!open.empty()) {
      const int64_t p = open.back(), y = p / width, x = p % width;
      open.pop_back();
      for (const auto& [v, u] :
           {std::pair(y - 1, x), std::pair(y + 1, x), std::pair(y, x - 1), std::pair(y, x + 1)}) {
        if (v < 0 || u < 0 || v >= height || u >= width) continue;
        const auto q = static_cast<size_t>(v * width + u);
        if (seen[q] || s.labels[q] != own) continue;
        seen[q] = true;
        open.push_back(static_cast<int64_t>(q));
      }
    }
  }
  return found;
}

void write_npy(const std::filesystem::path& path, const std::string& type, const std::string& shape,
               const void* data, size_t bytes) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(117, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file << std::string("\x93NUMPY\x01\x00\x76\x00", 10) << header;
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
}

TEST_CASE("segments: a grid's cells, cut at the right and below") {
  const Segments s = grid_segments(224, 224, 7);
  CHECK(s.count == 49);
  for (const auto& [y, x] : {std::pair(0, 0), std::pair(31, 32), std::pair(100, 223), std::pair(223, 0)})
    CHECK(label(s, y, x) == y / 32 * 7 + x / 32);
  const Segments cut = grid_segments(14, 11, 4);  // cells of 4 by 3
  CHECK(cut.count == 16);
  CHECK(label(cut, 13, 10) == 15);
  CHECK(label(cut, 12, 9) == 15);
  CHECK(label(cut, 11, 8) == 10);
  const Segments fewer = grid_segments(14, 11, 7);  // 2 by 2: six columns cover 11 pixels
  CHECK(fewer.count == 42);
  std::vector<double> values(42);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  const Tensor map = fewer.map(values, Dtype::f64);
  CHECK(map.shape() == Shape{7, 6});
  CHECK(map.item(6) == 6);
  REQUIRE(fewer.picture().grid.has_value());
  CHECK(fewer.picture().grid->squares);
  CHECK(fewer.picture().grid->offset_h == 0.5);
  CHECK(fewer.picture().grid->stride_w == 2);
  CHECK(grid_segments(5, 9, 1).count == 1);
  CHECK(grid_segments(5, 5, 5).count == 25);
}

TEST_CASE("segments: a grid that does not fit") {
  CHECK(error_of([] { grid_segments(6, 9, 7); }) ==
        "a grid of 7x7 segments does not fit a picture of 6x9 pixels");
  CHECK(error_of([] { grid_segments(6, 9, 0); }) ==
        "a grid of 0x0 segments does not fit a picture of 6x9 pixels");
}

TEST_CASE("superpixels: connected, none empty, about as many as asked, and in row-major order") {
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>(64, 96), {97, 75}, {5, 120}, {1, 40}})
    for (const int64_t count : {1, 2, 7, 30, 40}) {
      CAPTURE(height);
      CAPTURE(width);
      CAPTURE(count);
      const Superpixels s = slic(scene(height, width), count);
      REQUIRE(std::ssize(s.labels) == height * width);
      for (const int n : pieces(s, height, width)) CHECK(n == 1);
      CHECK(s.count >= std::max<int64_t>(1, count / 2));
      CHECK(s.count <= 2 * count + 1);
      int32_t next = 0;
      for (const int32_t l : s.labels) {
        REQUIRE(l <= next);
        next = std::max(next, l + 1);
      }
      CHECK(next == s.count);
      CHECK(slic(scene(height, width), count).labels == s.labels);
    }
}

TEST_CASE("superpixels: follow edges, the more so the less compact") {
  const int64_t height = 96, width = 96;
  const Image image = scene(height, width);
  // Pixels that differ in colour from most of their superpixel.
  const auto astray = [&](double compactness) {
    const Superpixels s = slic(image, 36, compactness);
    std::vector<std::map<int, int>> colours(static_cast<size_t>(s.count));
    for (int64_t p = 0; p < height * width; ++p)
      ++colours[static_cast<size_t>(s.labels[static_cast<size_t>(p)])][image.rgb[static_cast<size_t>(3 * p)]];
    int64_t wrong = 0;
    for (const auto& of_one : colours) {
      int most = 0, all = 0;
      for (const auto& [colour, pixels] : of_one) most = std::max(most, pixels), all += pixels;
      wrong += all - most;
    }
    return wrong;
  };
  CHECK(astray(10) <= height * width / 200);
  CHECK(astray(1000) > 4 * std::max<int64_t>(1, astray(10)));
}

TEST_CASE("superpixels: of a flat picture, the regular grid; of as many as pixels, hardly fewer") {
  Image flat{48, 32, std::vector<uint8_t>(48 * 32 * 3, 90)};
  const Superpixels s = slic(flat, 24);
  REQUIRE(s.count == 24);
  for (int64_t y = 0; y < 32; ++y)
    for (int64_t x = 0; x < 48; ++x)
      if (y % 8 > 0 && y % 8 < 7 && x % 8 > 0 &&
          x % 8 < 7)  // centres lie within a pixel of the cells' middles
        CHECK(s.labels[static_cast<size_t>(y * 48 + x)] ==
              s.labels[static_cast<size_t>(y / 8 * 8 * 48 + 3 * 48 + x / 8 * 8 + 3)]);
  const Superpixels each = slic(scene(6, 7), 42);
  CHECK(each.count >= 32);  // some are left without a pixel as centres move
  CHECK(each.count <= 42);
}

TEST_CASE("superpixels: options out of range") {
  const Image image = scene(6, 7);
  CHECK(error_of([&] { slic(image, 43); }) ==
        "slic makes from 1 to 42 superpixels of a picture of 6x7 pixels, not 43");
  CHECK(contains(error_of([&] { slic(image, 0); }), "not 0"));
  CHECK(error_of([&] { slic(image, 4, 0); }) == "slic: the compactness is a positive number");
}

TEST_CASE("segments: of files") {
  const TemporaryFolder folder;
  const std::string npy = folder.path() / "a.npy", png = folder.path() / "a.png";
  const std::vector<int64_t> labels{5, 5, -3, 70000, 5, -3};
  write_npy(npy, "<i8", "(2, 3)", labels.data(), labels.size() * 8);
  const Segments s = read_segments(npy, 2, 3);
  CHECK(s.count == 3);
  CHECK(s.labels == std::vector<int32_t>{1, 1, 0, 2, 1, 0});
  CHECK_FALSE(s.is_grid());
  const std::vector<double> values{10, 20, 30};
  const Tensor map = s.map(values, Dtype::f32);
  CHECK(map.shape() == Shape{2, 3});
  CHECK(map.item(0) == 20);
  CHECK(map.item(3) == 30);
  CHECK(error_of([&] { read_segments(npy, 3, 2); }) ==
        "'" + npy + "' holds labels (2, 3), but the input has 3x2 pixels");

  const std::vector<float> parts{0, 1, 1, 0.5f, 0, 1};
  write_npy(npy, "<f4", "(2, 3)", parts.data(), parts.size() * 4);
  CHECK(error_of([&] { read_segments(npy, 2, 3); }) ==
        "'" + npy + "' holds a label that is not a whole number, at row 1, column 0");

  Image image{3, 2, {9, 9, 9, 255, 0, 0, 255, 0, 0, 9, 9, 8, 9, 9, 9, 255, 0, 0}};
  write_png(png, image);
  const Segments colours = read_segments(png, 2, 3);
  CHECK(colours.count == 3);
  CHECK(colours.labels == std::vector<int32_t>{0, 1, 1, 2, 0, 1});
  CHECK(error_of([&] { read_segments(png, 4, 3); }) ==
        "'" + png + "' has 2x3 pixels, but the input has 4x3 pixels");
  CHECK(contains(error_of([&] { read_segments(folder.path() / "none.png", 4, 3); }), "none.png"));
  CHECK(contains(error_of([&] { read_segments(folder.path() / "none.npy", 4, 3); }), "none.npy"));
}

// Feature ablation as the command line has it; an answer, or the text of what was wrong.
std::pair<Explanation, std::string> ablated(const std::map<std::string, std::string>& options) {
  ImageModel model = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Method& method = find_method("feature_ablation");
  Options chosen("feature_ablation", method.options);
  const Tensor x = formula_input({1, 3, 14, 11});
  std::pair<Explanation, std::string> result;
  result.second = error_of([&] {
    for (const auto& [name, text] : options) chosen.set(name, text);
    method.fit(model, x.shape(), chosen);
    why_unsuited(method, model, x.shape(), &chosen);
    result.first = method.run({.model = model, .input = x, .target = 1, .logits = model.logits(x)}, chosen);
  });
  return result;
}

TEST_CASE("segments: the options of a method") {
  const auto map = [](const std::map<std::string, std::string>& options) {
    return ablated(options).first.maps.at(0);
  };
  CHECK(map({}).values.shape() == Shape{2, 2});  // cells of at least 4 pixels
  CHECK(map({{"grid", "3"}}).values.shape() == Shape{3, 3});
  CHECK(map({{"segments", "slic"}, {"count", "6"}}).values.shape() == Shape{14, 11});
  CHECK_FALSE(map({{"segments", "slic"}}).picture.grid.has_value());
  CHECK(values_of(map({{"baseline", "black"}}).values) != values_of(map({}).values));
  CHECK(values_of(map({{"baseline", "zero"}}).values) == values_of(map({}).values));

  const auto refusal = [](const std::map<std::string, std::string>& options) {
    return ablated(options).second;
  };
  CHECK(refusal({{"grid", "12"}}) == "a grid of 12x12 segments does not fit a picture of 14x11 pixels");
  CHECK(refusal({{"grid", "0"}}).starts_with("--feature_ablation.grid takes a whole number from 1"));
  CHECK(refusal({{"segments", "slic"}, {"count", "155"}}) ==
        "155 superpixels are more than the 154 pixels of the picture");
  CHECK(refusal({{"segments", ""}}) == "segments are grid, slic, or the path of a file, not ''");
  CHECK(refusal({{"segments", "squares"}})
            .starts_with("--feature_ablation.segments is grid, slic, or the path of a file"));
  CHECK(refusal({{"baseline", "zero,black"}}) == "--feature_ablation.baseline takes one baseline, not 2");
}

}  // namespace
}  // namespace loupe::test
