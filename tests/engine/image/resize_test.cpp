// Resizing against Pillow 13 and preparing against torchvision, by tests/fixtures/pictures, which
// tests/oracle/make_picture_kinds.py makes.
#include "engine/image/resize.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/image/preprocess.h"
#include "tests/support/pictures.h"

using namespace loupe;
using namespace loupe::test;

namespace {

nlohmann::json cases(const std::string& name) {
  std::ifstream file(std::filesystem::path(LOUPE_SOURCE_DIR) / "tests/fixtures/pictures" / name);
  return nlohmann::json::parse(file);
}

uint32_t crc32(std::span<const uint8_t> bytes) {
  uint32_t c = ~0u;
  for (const uint8_t b : bytes) {
    c ^= b;
    for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
  }
  return ~c;
}

}  // namespace

TEST_CASE("tall and wide pictures are Pillow 13's to the bit, whichever pass comes first") {
  const auto all = cases("resizes.json");
  REQUIRE(all.size() >= 20);
  for (const auto& c : all) {
    CAPTURE(c.dump());
    const Image image = resize(pattern(c["width"], c["height"]), c["to_width"], c["to_height"], c["bicubic"]);
    CHECK(image.width == c["to_width"]);
    CHECK(image.height == c["to_height"]);
    CHECK(crc32(image.rgb) == c["crc32"]);
  }
  CHECK_THROWS_AS(resize(pattern(3, 3), 0, 3), Error);
  CHECK_THROWS_AS(resize(Image{}, 3, 3), Error);
}

TEST_CASE("a window is cut from the same bits") {
  for (const auto& [width, height] : {std::pair{40, 200}, {200, 40}, {90, 90}}) {
    const Image image = pattern(width, height), whole = resize(image, 31, 37);
    const auto window = resize_window(image, 37, 31, {5, 20}, {7, 19}, false);
    for (int64_t y = 5; y < 20; ++y)
      for (int64_t x = 7; x < 19; ++x)
        for (int64_t c = 0; c < 3; ++c)
          REQUIRE(window[((y - 5) * 12 + x - 7) * 3 + c] == whole.pixel(y, x)[c]);
  }
}

TEST_CASE("other sizes, no crop and grey are torchvision's inputs") {
  const auto all = cases("prepared.json");
  REQUIRE(all.size() == 6);
  for (const auto& c : all) {
    CAPTURE(c["how"].dump());
    Preprocessing how{.crop = c["how"]["crop"]};
    how.channels = c["how"].value("channels", 3);
    how.resize = c["how"].value("resize", 256);
    how.stretch = c["how"].value("stretch", std::array<int64_t, 2>{});
    for (size_t i = 0; i < c["mean"].size(); ++i) how.mean[i] = c["mean"][i], how.std[i] = c["std"][i];
    const Tensor x = preprocess(pattern(c["width"], c["height"]), how);
    const std::vector<int64_t> shape = c["shape"];
    REQUIRE(x.shape() == Shape{1, shape[0], shape[1], shape[2]});
    const std::vector<float> expected = c["values"];
    for (int64_t i = 0; i < x.numel(); ++i) CHECK(x.item(i) == expected[static_cast<size_t>(i)]);
    const Image back = to_image(x, how);  // grey shows in all three channels
    CHECK(back.width == shape[2]);
    if (how.channels == 1) CHECK(back.rgb[0] == back.rgb[2]);
  }
}

TEST_CASE("preprocessing for one channel, and what cannot be prepared") {
  const Preprocessing grey = for_channels({}, 1);
  CHECK(grey.channels == 1);
  CHECK(grey.mean[0] == doctest::Approx((0.485 + 0.456 + 0.406) / 3));
  CHECK(grey.std[0] == doctest::Approx((0.229 + 0.224 + 0.225) / 3));
  CHECK(for_channels({}, 4).channels == 3);
  const Image image = pattern(30, 20);
  CHECK(contains(error_of([&] { preprocess(image, {.stretch = {5, -5}}); }), "between 1 and 65536"));
  CHECK(contains(error_of([&] { preprocess(image, {.channels = 2}); }), "1 channel or 3"));
  CHECK(contains(error_of([&] { preprocess(pattern(30000, 10), {.crop = 0}); }), "crop it"));
  CHECK(contains(error_of([&] { to_image(Tensor::zeros(Dtype::f32, {3, 4, 4}), grey); }), "(1, H, W)"));
}
