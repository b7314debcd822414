// Preprocessing against torchvision and PIL, bit for bit; the fixture is made by tests/oracle/make_images.py.
#include "engine/image/preprocess.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/support/pictures.h"

using namespace loupe;
using namespace loupe::test;

TEST_CASE("resize and centre crop are torchvision's to the bit") {
  std::ifstream file(fixture("torchvision_resize.json"));
  const auto cases = nlohmann::json::parse(file);
  REQUIRE(cases.size() >= 28);
  for (const auto& c : cases) {
    const Preprocessing how{.resize = c["resize"], .crop = c["crop"], .bicubic = c["bicubic"]};
    CAPTURE(how.bicubic);
    CAPTURE(c["width"]);
    CAPTURE(c["height"]);
    const Tensor x = preprocess(pattern(c["width"], c["height"]), how);
    REQUIRE(x.shape() == Shape{1, 3, how.crop, how.crop});
    const std::vector<uint8_t> expected = c["rgb"];
    const auto values = x.values<float>();
    for (int64_t i = 0; i < x.numel();
         ++i) {  // i: (pixel, channel) in the file, (channel, pixel) in the tensor
      const int64_t channel = i % 3, pixel = i / 3;
      const auto k = static_cast<size_t>(channel);
      const float normalised = (static_cast<float>(expected[i]) / 255.0f - how.mean[k]) / how.std[k];
      CAPTURE(pixel);
      CAPTURE(channel);
      CHECK(values[channel * how.crop * how.crop + pixel] == normalised);
    }
    CHECK(to_image(x, how).rgb == expected);  // un-normalising gives the bytes back
  }
}

TEST_CASE("mean and std of one's own") {
  const Preprocessing how{.resize = 11, .crop = 11, .mean = {0, 0.5f, 1}, .std = {1, 0.5f, 2}};
  const Image image = pattern(11, 11);
  const Tensor x = preprocess(image, how);
  CHECK(x.item(0) == doctest::Approx(image.rgb[0] / 255.0));
  CHECK(x.item(121) == doctest::Approx((image.rgb[1] / 255.0 - 0.5) / 0.5));
  CHECK(x.item(242) == doctest::Approx((image.rgb[2] / 255.0 - 1) / 2));
  CHECK(to_image(x, how).rgb == image.rgb);
}

TEST_CASE("extreme pictures are cheap: only the crop is resized") {
  for (const auto& [width, height] : {std::pair{1, 1}, {20000, 10}, {10, 20000}, {1, 20000}, {1000000, 1}}) {
    const auto start = std::chrono::steady_clock::now();
    const Tensor x = preprocess(pattern(width, height));
    CHECK(x.shape() == Shape{1, 3, 224, 224});
    for (const float v : x.values<float>()) REQUIRE(std::isfinite(v));
    // The whole resized picture would be up to 256 × 256,000,000 pixels.
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  }
}

TEST_CASE("a picture of one colour stays that colour") {
  Image image{301, 203, std::vector<uint8_t>(301 * 203 * 3)};
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = std::array<uint8_t, 3>{0, 130, 255}[i % 3];
  const Image back = to_image(preprocess(image));
  for (size_t i = 0; i < back.rgb.size(); ++i)
    REQUIRE(back.rgb[i] == std::array<uint8_t, 3>{0, 130, 255}[i % 3]);
}

TEST_CASE("to_image clamps, takes f64 and drops NaN") {
  const Preprocessing plain{.mean = {0, 0, 0}, .std = {1, 1, 1}};
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::vector<double> values = {-5, 0.5, inf, nan, 1, -inf};  // (3, 1, 2)
  const Image image = to_image(Tensor::from(values, {3, 1, 2}), plain);
  CHECK(image.rgb == std::vector<uint8_t>{0, 255, 255, 128, 0, 0});
}

TEST_CASE("what cannot be preprocessed") {
  const Image image = pattern(4, 4);
  CHECK(contains(error_of([&] { preprocess(image, {.resize = 0}); }), "resize 0"));
  CHECK(contains(error_of([&] { preprocess(image, {.crop = -1}); }), "crop -1"));
  CHECK(contains(error_of([&] { preprocess(image, {.std = {1, 0, 1}}); }), "std"));
  CHECK(contains(error_of([&] { preprocess(Image{}); }), "empty"));
  CHECK(contains(error_of([&] { to_image(Tensor::zeros(Dtype::f32, {2, 3, 4, 4})); }), "(2, 3, 4, 4)"));
  CHECK(contains(error_of([&] { to_image(Tensor::zeros(Dtype::f32, {1, 4, 4})); }), "(1, 4, 4)"));
}
