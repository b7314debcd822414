// Pictures of maps: what each style promises, pixel by pixel, on maps small enough to see through.
#include "engine/image/overlay.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>

#include "engine/image/colour.h"
#include "kernels/common/parallel.h"
#include "tests/support/pictures.h"

using namespace loupe;
using namespace loupe::test;

namespace {

using Style = Picture::Style;
constexpr Style kDrawnOver[] = {Style::magnitude, Style::contribution, Style::evidence, Style::level};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                 kInf = std::numeric_limits<double>::infinity();
const Preprocessing kPlain{.mean = {0, 0, 0}, .std = {1, 1, 1}};

/// An input that shows the colour (v, v, v).
Tensor flat(int64_t height, int64_t width, double v = 0.5) {
  return Tensor::from(std::vector<double>(static_cast<size_t>(3 * height * width), v), {1, 3, height, width});
}

Tensor map_of(const std::vector<double>& values, Shape shape) { return Tensor::from(values, shape); }

Rgb pixel(const Image& image, int64_t y, int64_t x) {
  const uint8_t* p = image.pixel(y, x);
  return {p[0], p[1], p[2]};
}

int redness(Rgb c) { return c[0] - c[2]; }

/// A 300×240 picture of a map of zeros but for the given cells.
struct Cell {
  int64_t at;
  double value;
};
Image draw_cells(std::initializer_list<Cell> cells, Style style, Shape shape = {240, 300}) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (const Cell& c : cells) values[static_cast<size_t>(c.at)] = c.value;
  return overlay(flat(240, 300), map_of(values, shape), {.style = style, .percentile = 100}, kPlain);
}

}  // namespace

TEST_CASE("colour maps lie within sRGB, and their lightness rises evenly") {
  const auto stays = [](Lab c) {
    const Rgb rgb = to_rgb(c);
    const Lab back = to_lab(rgb.data());
    return std::hypot(c.L - back.L, c.a - back.a, c.b - back.b) < 0.01f;  // 8 bits are finer than this
  };
  for (int i = 0; i <= 100; ++i) {
    const float t = static_cast<float>(i) / 100;
    CAPTURE(t);
    CHECK(stays(heat_colour(t)));
    CHECK(stays(level_colour(t)));
    CHECK(stays(signed_colour(t)));
    CHECK(stays(signed_colour(-t)));
    CHECK(heat_colour(t).L == doctest::Approx(heat_colour(0).L + t * (heat_colour(1).L - heat_colour(0).L)));
    CHECK(level_colour(t).L ==
          doctest::Approx(level_colour(0).L + t * (level_colour(1).L - level_colour(0).L)));
    CHECK(signed_colour(t).L == signed_colour(-t).L);
  }
  for (int v = 0; v < 256; v += 5) {
    const Rgb grey{static_cast<uint8_t>(v), static_cast<uint8_t>(v), static_cast<uint8_t>(v)};
    CHECK(to_rgb(to_lab(grey.data())) == grey);
    CHECK(std::abs(to_lab(grey.data()).a) < 1e-3f);
  }
}

TEST_CASE("a contribution is red for and blue against, and neutral where there is none") {
  const Image image = draw_cells({{0, 1.0}, {1, -1.0}, {2, 0.5}, {3, -0.5}}, Style::contribution);
  CHECK(redness(pixel(image, 0, 0)) > 80);
  CHECK(redness(pixel(image, 0, 1)) < -80);
  CHECK(redness(pixel(image, 0, 2)) > 20);
  CHECK(redness(pixel(image, 0, 2)) < redness(pixel(image, 0, 0)));
  CHECK(redness(pixel(image, 0, 3)) < -20);
  const Rgb none = pixel(image, 0, 4);
  CHECK(none[0] == none[1]);
  CHECK(none[1] == none[2]);
}

TEST_CASE("channels: magnitude takes the largest, contribution the sum") {
  const int64_t plane = 240 * 300;
  // Pixel 0: 1 and -1 in two channels. Pixel 1: 1 in one.
  const std::initializer_list<Cell> cells = {{0, 1.0}, {plane, -1.0}, {2 * plane + 1, 1.0}};
  const Image magnitude = draw_cells(cells, Style::magnitude, {1, 3, 240, 300});
  CHECK(pixel(magnitude, 0, 0) == pixel(magnitude, 0, 1));
  CHECK(pixel(magnitude, 0, 0) != pixel(magnitude, 0, 2));
  const Image contribution = draw_cells(cells, Style::contribution, {1, 3, 240, 300});
  CHECK(pixel(contribution, 0, 0) == pixel(contribution, 0, 2));
  CHECK(pixel(contribution, 0, 0) != pixel(contribution, 0, 1));
}

TEST_CASE("evidence from the least value is drawn as if that were zero") {
  std::vector<double> cells(240 * 300, 0.0), raised(240 * 300, 7.0);
  cells[0] = 2, cells[1] = 0.5;
  raised[0] = 9, raised[1] = 7.5;
  const auto drawn = [](const std::vector<double>& map, bool from_least) {
    return overlay(flat(240, 300), map_of(map, {240, 300}),
                   {.style = Style::evidence, .percentile = 100, .from_least = from_least}, kPlain)
        .rgb;
  };
  CHECK(drawn(raised, true) == drawn(cells, false));
  CHECK(drawn(cells, true) == drawn(cells, false));
  CHECK(drawn(std::vector<double>(240 * 300, 3.0), true) ==
        drawn(std::vector<double>(240 * 300, 0.0), false));
}

TEST_CASE("evidence below zero counts as none; magnitude has no sign") {
  const Image evidence = draw_cells({{0, 1.0}, {1, -1.0}}, Style::evidence);
  CHECK(pixel(evidence, 0, 1) == pixel(evidence, 0, 2));
  CHECK(pixel(evidence, 0, 0) != pixel(evidence, 0, 2));
  const Image magnitude = draw_cells({{0, 1.0}, {1, -1.0}}, Style::magnitude);
  CHECK(pixel(magnitude, 0, 0) == pixel(magnitude, 0, 1));
}

TEST_CASE("level runs from the least to the most, whatever zero is") {
  std::vector<double> values(240 * 300, 18.0);
  values[0] = 17, values[1] = 19;
  const auto draw = [&] {
    return overlay(flat(240, 300), map_of(values, {240, 300}), {.style = Style::level}, kPlain);
  };
  const Image image = draw();
  const auto lightness = [](Rgb c) { return to_lab(c.data()).L; };
  CHECK(lightness(pixel(image, 0, 0)) < lightness(pixel(image, 0, 2)));
  CHECK(lightness(pixel(image, 0, 2)) < lightness(pixel(image, 0, 1)));
  for (double& v : values) v = v * 4 - 1000;
  CHECK(draw().rgb == image.rgb);
}

TEST_CASE("a few extreme pixels do not fade the others") {
  std::vector<double> values(240 * 300);
  for (size_t i = 0; i < values.size(); i += 2) values[i] = 1;
  for (const Style style : kDrawnOver) {
    if (style == Style::level) continue;
    const auto draw = [&] {
      return overlay(flat(240, 300), map_of(values, {240, 300}), {.style = style}, kPlain);
    };
    values[0] = 1;
    const Image tame = draw();
    values[0] = 1e9;
    CHECK(draw().rgb == tame.rgb);
  }
}

TEST_CASE("only ratios matter: a map times a power of two gives the same picture") {
  std::vector<double> values(20 * 30);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i));
  for (const Style style : kDrawnOver) {
    const Image one = overlay(flat(240, 300), map_of(values, {20, 30}), {.style = style}, kPlain);
    auto scaled = values;
    for (double& v : scaled) v *= 0x1p-40;
    CHECK(overlay(flat(240, 300), map_of(scaled, {20, 30}), {.style = style}, kPlain).rgb == one.rgb);
  }
}

TEST_CASE("a coarse map lies where its grid says") {
  // One cell of 13×13 is set; the picture's reddest pixels surround the cell's middle.
  const auto middle = [](std::optional<Grid> grid) {
    std::vector<double> values(13 * 13);
    values[6 * 13 + 2] = 1;
    const Picture how{.style = Style::contribution, .percentile = 100, .grid = grid};
    const Image image = overlay(flat(224, 224), map_of(values, {13, 13}), how, kPlain);
    int best = -1;
    double y = 0, x = 0, count = 0;
    for (int64_t i = 0; i < 224 * 224; ++i) {
      const int r = redness(pixel(image, i / 224, i % 224));
      CHECK(r >= 0);  // interpolation makes no ring of the other sign
      if (r > best) best = r, y = x = count = 0;
      if (r == best) y += static_cast<double>(i / 224), x += static_cast<double>(i % 224), ++count;
    }
    return std::pair{y / count, x / count};
  };
  const auto receptive = middle(Grid{15, 15, 16, 16});
  CHECK(receptive.first == doctest::Approx(15 + 6 * 16));
  CHECK(receptive.second == doctest::Approx(15 + 2 * 16));
  const auto even = middle(std::nullopt);
  CHECK(std::abs(even.first - (6.5 * 224 / 13 - 0.5)) <= 0.5);  // to the nearest pixel
  CHECK(std::abs(even.second - (2.5 * 224 / 13 - 0.5)) <= 0.5);
}

TEST_CASE("cells that are squares are drawn as squares") {
  // 2×3 cells of 20×20 pixels: within a cell all pixels are alike, and each cell has a colour of its own.
  const std::vector<double> values = {0.1, 0.9, 0.4, 0.2, 1.0, 0.7};
  const Grid squares{.offset_h = 9.5, .offset_w = 9.5, .stride_h = 20, .stride_w = 20, .squares = true};
  const Picture how{.style = Style::evidence, .percentile = 100, .grid = squares};
  const Image image = overlay(flat(40, 60), map_of(values, {2, 3}), how, kPlain);
  const int64_t factor = image.width / 60;
  REQUIRE(factor >= 1);
  std::set<Rgb> colours;
  for (int64_t y = 0; y < 40; ++y)
    for (int64_t x = 0; x < 60; ++x) {
      CHECK(pixel(image, y * factor, x * factor) == pixel(image, y / 20 * 20 * factor, x / 20 * 20 * factor));
      colours.insert(pixel(image, y * factor, x * factor));
    }
  CHECK(colours.size() == 6);
}

TEST_CASE("interpolation is exact at the cells and holds beyond the outermost") {
  // Cells 20 pixels apart from pixel 10: at those pixels the picture is that of the cell's own value.
  const std::vector<double> values = {0.1, 0.9, 0.4, 0.2, 1.0, 0.7};  // (2, 3)
  const Picture how{.style = Style::evidence, .percentile = 100, .grid = Grid{10, 10, 20, 20}};
  const Image image = overlay(flat(240, 300), map_of(values, {2, 3}), how, kPlain);
  for (int64_t i = 0; i < 6; ++i) {
    std::vector<double> whole(240 * 300, values[static_cast<size_t>(i)]);
    whole[0] = 1;  // the scale
    const Image of_value = overlay(flat(240, 300), map_of(whole, {240, 300}),
                                   {.style = Style::evidence, .percentile = 100}, kPlain);
    CHECK(pixel(image, 10 + 20 * (i / 3), 10 + 20 * (i % 3)) == pixel(of_value, 100, 100));
  }
  CHECK(pixel(image, 0, 0) == pixel(image, 10, 10));
  CHECK(pixel(image, 239, 299) == pixel(image, 30, 50));
}

TEST_CASE("constant and zero maps are drawn evenly") {
  for (const Style style : kDrawnOver)
    for (const double value : {0.0, 3.0, -3.0, 1e-320, 1e308}) {
      CAPTURE(value);
      for (const Shape& shape : {Shape{240, 300}, Shape{7, 7}, Shape{1, 1}, Shape{1, 3, 5, 1}}) {
        std::vector<double> values(static_cast<size_t>(shape.numel()), value);
        const Image image = overlay(flat(240, 300), map_of(values, shape), {.style = style}, kPlain);
        std::set<Rgb> colours;
        for (int64_t i = 0; i < 240 * 300; ++i) colours.insert(pixel(image, i / 300, i % 300));
        CHECK(colours.size() == 1);
      }
    }
}

TEST_CASE("infinities are the strongest colour and NaN is a chequer") {
  for (const Style style : kDrawnOver) {
    CAPTURE(static_cast<int>(style));
    const Image image =
        draw_cells({{0, 1.0}, {1, kInf}, {2, kNan}, {3, -1}, {4, -kInf}, {1000, kNan}}, style);
    CHECK(pixel(image, 0, 1) == pixel(image, 0, 0));
    CHECK(pixel(image, 0, 4) == pixel(image, 0, 3));
    CHECK(pixel(image, 0, 2) == Rgb{255, 0, 255});
    CHECK(pixel(image, 3, 100) == Rgb{0, 0, 0});
    // One NaN cell of a coarse map covers its own area and no more.
    const Image coarse = draw_cells({{0, kNan}, {3, kInf}}, style, {2, 2});
    CHECK(pixel(coarse, 118, 5) == Rgb{255, 0, 255});
    CHECK(pixel(coarse, 118, 9) == Rgb{0, 0, 0});
    for (int64_t x = 151; x < 300; ++x) {
      CHECK(pixel(coarse, 0, x) != Rgb{0, 0, 0});
      CHECK(pixel(coarse, 0, x) != Rgb{255, 0, 255});
    }
    // Nothing to scale by.
    const Image all_nan = overlay(flat(224, 224), map_of({kNan}, {1, 1}), {.style = style}, kPlain);
    CHECK(pixel(all_nan, 0, 0) == Rgb{255, 0, 255});
    overlay(flat(224, 224), map_of({kInf, -kInf}, {1, 2}), {.style = style}, kPlain);
  }
}

TEST_CASE("a reconstruction is a picture around mid-grey") {
  const int64_t plane = 240 * 300;
  const Image image = draw_cells({{0, 1.0}, {plane, -1.0}, {2 * plane + 1, kInf}, {plane + 2, kNan}},
                                 Style::reconstruction, {3, 240, 300});
  CHECK(pixel(image, 0, 0) == Rgb{255, 0, 128});
  CHECK(pixel(image, 0, 1) == Rgb{128, 128, 255});
  CHECK(pixel(image, 0, 2) == Rgb{255, 0, 255});
  CHECK(pixel(image, 5, 5) == Rgb{128, 128, 128});
  const Image grey = draw_cells({{0, 1.0}}, Style::reconstruction, {1, 240, 300});
  CHECK(pixel(grey, 0, 0) == Rgb{255, 255, 255});
  CHECK(contains(error_of([] { draw_cells({}, Style::reconstruction, {3, 13, 13}); }), "(3, 13, 13)"));
}

TEST_CASE("small inputs are enlarged by a whole number") {
  const auto size = [](int64_t height, int64_t width) {
    const Image image = overlay(flat(height, width), map_of({1, 2, 3, 4}, {2, 2}), {}, kPlain);
    return std::pair{image.height, image.width};
  };
  CHECK(size(64, 64) == std::pair<int64_t, int64_t>{256, 256});
  CHECK(size(32, 32) == std::pair<int64_t, int64_t>{224, 224});
  CHECK(size(1, 1) == std::pair<int64_t, int64_t>{224, 224});
  CHECK(size(10, 100) == std::pair<int64_t, int64_t>{30, 300});
  CHECK(size(224, 224) == std::pair<int64_t, int64_t>{224, 224});
  CHECK(size(2, 299) == std::pair<int64_t, int64_t>{2, 299});

  std::vector<double> values(64 * 64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::cos(static_cast<double>(i));
  for (const Style style : {Style::magnitude, Style::reconstruction}) {
    const Image image = overlay(flat(64, 64), map_of(values, {64, 64}), {.style = style}, kPlain);
    for (int64_t y = 0; y < 256; ++y)
      for (int64_t x = 0; x < 256; ++x) REQUIRE(pixel(image, y, x) == pixel(image, y / 4 * 4, x / 4 * 4));
  }
}

TEST_CASE("the photograph shows through wherever the map is weak") {
  std::vector<double> bright(3 * 240 * 300, 0.2);
  for (size_t i = 0; i < bright.size(); i += 2) bright[i] = 0.8;
  const Tensor x = Tensor::from(bright, {3, 240, 300});
  for (const Style style : kDrawnOver) {
    const Image image = overlay(x, map_of({0}, {1, 1}), {.style = style}, kPlain);
    CHECK(to_lab(image.pixel(0, 0)).L > to_lab(image.pixel(0, 1)).L + 0.05f);
  }
}

TEST_CASE("the same bytes on any number of threads") {
  std::vector<double> values(25 * 25);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i * i));
  const int threads = max_threads();
  std::set<std::vector<uint8_t>> pictures;
  std::set<std::vector<float>> inputs;
  for (int n = 1; n <= 5; ++n) {
    set_threads(n);
    pictures.insert(
        overlay(flat(224, 224), map_of(values, {25, 25}), {.style = Style::contribution}, kPlain).rgb);
    Tensor x = preprocess(pattern(333, 271));
    const auto values_of_x = x.values<float>();
    inputs.insert({values_of_x.begin(), values_of_x.end()});
  }
  set_threads(threads);
  CHECK(pictures.size() == 1);
  CHECK(inputs.size() == 1);
}

TEST_CASE("what cannot be drawn") {
  const Tensor x = flat(8, 8), map = map_of({1}, {1, 1});
  const auto error = [](const Tensor& input, const Tensor& values, const Picture& how) {
    return error_of([&] { overlay(input, values, how, kPlain); });
  };
  CHECK(contains(error(map_of({1}, {1, 1}), map, {}), "(1, 1)"));
  CHECK(contains(error(x, map_of({1, 2}, {2, 1, 1, 1}), {}), "(2, 1, 1, 1)"));
  CHECK(contains(error(x, map_of({1, 2}, {2}), {}), "(2)"));
  CHECK(contains(error(x, map, {.percentile = 0}), "percentile"));
  CHECK(contains(error(x, map, {.percentile = 101}), "percentile"));
  CHECK(contains(error(x, map, {.grid = Grid{0, 0, 0, 1}}), "stride"));
}
