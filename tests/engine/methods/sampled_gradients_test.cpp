// Baselines, and methods that take the mean of gradients at random places.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "engine/image/image.h"
#include "engine/methods/baseline.h"
#include "models/io/formula.h"
#include "models/io/safetensors.h"
#include "models/io/tensor_file.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

ImageModel small_model(Device device = Device::ref()) {
  ImageModel model = model_with_formula_weights(SmallNetwork{}.graph(), device);
  model.preprocessing.resize = 14;
  model.preprocessing.crop = 14;
  return model;
}

Tensor baseline_named(const std::string& text, const Tensor& x) {
  const std::vector<Baseline> found = baselines(small_model(), x, text, "--m.baseline");
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == text);
  CHECK(found[0].values.shape() == x.shape());
  CHECK(found[0].values.dtype() == Dtype::f32);
  return found[0].values;
}

TEST_CASE("baselines: one value a channel") {
  const Tensor x = formula_input({1, 3, 14, 11});
  const double mean[] = {0.485, 0.456, 0.406}, deviation[] = {0.229, 0.224, 0.225};
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t c = i / 154;
    double own = 0;
    for (int64_t k = 0; k < 154; ++k) own += x.item(c * 154 + k) / 154;
    CHECK(baseline_named("zero", x).item(i) == 0);
    CHECK(baseline_named("black", x).item(i) == static_cast<float>((0 - mean[c]) / deviation[c]));
    CHECK(baseline_named("white", x).item(i) == static_cast<float>((1 - mean[c]) / deviation[c]));
    CHECK(baseline_named("mean", x).item(i) == doctest::Approx(own).epsilon(1e-6));
  }
}

// 2(2u − 1) of the stream baseline.noise, whose first numbers tests/oracle has too.
TEST_CASE("baselines: noise is drawn by name, and each of a set anew") {
  const Tensor x = formula_input({1, 3, 14, 11}), noise = baseline_named("noise", x);
  const Draws draws;
  for (int64_t i = 0; i < x.numel(); ++i)
    CHECK(noise.item(i) == static_cast<float>(2 * (2 * draws.uniform("baseline.noise", i) - 1)));
  const std::vector<Baseline> set = baselines(small_model(), x, "noise,zero,noise", "--m.baseline");
  REQUIRE(set.size() == 3);
  CHECK(same_bits(set[0].values, noise));
  CHECK(!same_bits(set[2].values, noise));
  CHECK(!same_bits(baselines(small_model(), x, "noise", "--m.baseline", Draws("7"))[0].values, noise));
}

TEST_CASE("baselines: a blur keeps what is even, and spreads a point as a Gaussian") {
  const Tensor x = formula_input({1, 3, 14, 11});
  CHECK(same_bits(gaussian_blur(x, 0), x.to(Dtype::f64)));
  CHECK(same_bits(baseline_named("blur", x), gaussian_blur(x, 10 * 11 / 224.0).to(Dtype::f32)));
  Tensor even(Dtype::f64, {1, 1, 5, 6}), point = Tensor::zeros(Dtype::f64, {1, 2, 21, 23});
  for (double& v : even.values<double>()) v = 3;
  for (const double v : values_of(gaussian_blur(even, 2))) CHECK(v == doctest::Approx(3).epsilon(1e-14));
  point.values<double>()[10 * 23 + 11] = 1;
  const Tensor spread = gaussian_blur(point, 1.5);
  double sum = 0;
  for (int d = -6; d <= 6; ++d) sum += std::exp(-d * d / 4.5);
  for (int64_t y = 0; y < 21; ++y)
    for (int64_t x0 = 0; x0 < 23; ++x0) {
      const auto dy = static_cast<double>(y - 10), dx = static_cast<double>(x0 - 11);
      const bool inside = std::abs(dy) <= 6 && std::abs(dx) <= 6;
      CHECK(spread.item(y * 23 + x0) ==
            doctest::Approx(inside ? std::exp(-(dy * dy + dx * dx) / 4.5) / sum / sum : 0).epsilon(1e-12));
      CHECK(spread.item(483 + y * 23 + x0) == 0);
    }
  // Beyond an edge the last pixel goes on.
  Tensor step = Tensor::zeros(Dtype::f64, {1, 1, 1, 3});
  step.values<double>()[0] = 1;
  double left = 0, all = 0;
  for (int d = -2; d <= 2; ++d) {
    const double w = std::exp(-0.5 * d * d / 0.25);
    all += w;
    if (d <= 0) left += w;
  }
  CHECK(gaussian_blur(step, 0.5).item(0) == doctest::Approx(left / all).epsilon(1e-14));
  CHECK(usage_error([&] { gaussian_blur(x, -1); }).starts_with("a blur's deviation"));
}

TEST_CASE("baselines: files, and sets of them") {
  ImageModel model = small_model();
  model.read_tensor = read_tensor_file;
  const Tensor x = formula_input({1, 3, 14, 14});
  const std::string folder = std::string(LOUPE_BINARY_DIR) + "/baseline_test";
  std::filesystem::create_directories(folder);
  const std::string picture = folder + "/a,b.png", numbers = folder + "/b.safetensors",
                    two = folder + "/2.safetensors", small = folder + "/small.safetensors",
                    none = folder + "/none.safetensors";
  write_png(picture, {14, 14, std::vector<uint8_t>(14 * 14 * 3, 128)});
  const Tensor other = formula_input({2, 3, 14, 14}).slice(1, 2);
  write_safetensors(numbers, {{"whatever", other.row(0)}});
  write_safetensors(two, {{"input", x.row(0)}, {"baseline", other.row(0)}});
  write_safetensors(none, {{"a", x.row(0)}, {"b", other.row(0)}});
  write_safetensors(small, {{"baseline", formula_input({1, 3, 14, 11})}});
  const auto found = [&](const std::string& text) { return baselines(model, x, text, "--m.baseline"); };
  CHECK(same_bits(found(picture)[0].values, model.preprocess(read_image(picture))));
  const std::vector<Baseline> set = found("black," + numbers + "," + two);
  REQUIRE(set.size() == 3);
  CHECK(same_bits(set[1].values, other));
  CHECK(same_bits(set[2].values, other));
  CHECK(set[2].name == two);

  CHECK(usage_error([&] { found(small); }) ==
        "--m.baseline: " + small + " holds (1, 3, 14, 11), but the input is (1, 3, 14, 14)");
  model.preprocessing.crop = 12;
  CHECK(usage_error([&] { found(picture); }) ==
        "--m.baseline: " + picture + " becomes (1, 3, 12, 12), but the input is (1, 3, 14, 14)");
  CHECK(usage_error([&] { found("zero,,black"); }) == "--m.baseline has an empty name in 'zero,,black'");
  CHECK_THROWS_WITH_AS(found("zerro"), doctest::Contains("zerro"), Error);
  CHECK_THROWS_WITH_AS(found(none), doctest::Contains("none.safetensors"), Error);
}

}  // namespace
}  // namespace loupe::test
