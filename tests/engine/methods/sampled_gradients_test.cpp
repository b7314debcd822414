// Baselines, and methods that take the mean of gradients at random places.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/image/image.h"
#include "engine/methods/baseline.h"
#include "engine/methods/gradient_shap.h"
#include "engine/methods/guided_backprop.h"
#include "engine/methods/input_x_gradient.h"
#include "engine/methods/integrated_gradients.h"
#include "engine/methods/smooth_grad.h"
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

// The oracle's copy s of an image, whose sigma is 0.15.
Tensor noisy_copy(const Tensor& image, int64_t s, double sigma = 0.15) {
  const std::vector<double> v = values_of(image);
  const auto [low, high] = std::ranges::minmax_element(v);
  std::vector<double> noise(v.size());
  Draws().normals("smooth_grad.noise." + std::to_string(s), noise);
  const Tensor copy(Dtype::f32, image.shape());
  for (size_t i = 0; i < v.size(); ++i)
    copy.values<float>()[i] = static_cast<float>(v[i] + sigma * (*high - *low) * noise[i]);
  return copy;
}

TEST_CASE("smooth_grad, smooth_grad_squared and var_grad are the moments of the gradients of noisy copies") {
  const Tensor x = formula_input({2, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const int64_t samples = device == Device::sim() ? 2 : 5, size = x.numel() / 2;
    const auto count = static_cast<double>(samples);
    const SmoothGradOptions options{.target = 3, .samples = samples};
    const Tensor mean = smooth_grad(net, x, options), squares = smooth_grad_squared(net, x, options),
                 variance = var_grad(net, x, options);
    for (int64_t n = 0; n < 2; ++n) {
      std::vector<Tensor> g;
      for (int64_t s = 0; s < samples; ++s)
        g.push_back(gradient(net, noisy_copy(x.slice(n, n + 1), s), {.target = 3}));
      for (int64_t i = 0; i < size; ++i) {
        double first = 0, second = 0, spread = 0;
        for (const Tensor& m : g) first += m.item(i) / count, second += m.item(i) * m.item(i) / count;
        for (const Tensor& m : g) spread += (m.item(i) - first) * (m.item(i) - first) / count;
        const double unit = device == Device::ref() ? 1e-14 : 1e-6;
        CHECK(std::abs(mean.item(n * size + i) - first) <= unit * std::sqrt(second));
        CHECK(std::abs(squares.item(n * size + i) - second) <= unit * second);
        CHECK(std::abs(variance.item(n * size + i) - spread) <= unit * second);
      }
    }
  }
}

TEST_CASE(
    "smooth_grad: without noise the gradient itself, without variance; of other rules and methods too") {
  const Tensor x = formula_input({1, 3, 14, 11});
  ImageModel model = small_model(Device::cpu());
  for (NodeId n = 0; n < model.graph().size(); ++n)
    if (model.graph().node(n).op && model.graph().node(n).op->kind().name == "max_pool2d")
      model.trunk = model.graph().node(n).name;
  const SmoothGradOptions still{.target = 3, .samples = 4, .sigma = 0};
  CHECK(relative_l2(smooth_grad(model, x, still), gradient(model, x, {.target = 3})) < 1e-7);
  for (const double v : values_of(var_grad(model, x, still))) CHECK(v == 0);
  const auto by_method = [&](const std::string& of) {
    const Method& method = find_method("smooth_grad");
    Options options("smooth_grad", method.options);
    options.set("samples", "3");
    options.set("sigma", "0");
    options.set("of", of);
    if (const auto why = why_unsuited(method, model, x.shape(), &options)) throw UsageError(*why);
    return method.run({.model = model, .input = x, .target = 3, .logits = model.logits(x)}, options)
        .maps.at(0)
        .values;
  };
  CHECK(relative_l2(by_method("guided_backprop"), guided_backprop(model, x, {.target = 3}).row(0)) < 1e-7);
  CHECK(relative_l2(by_method("input_x_gradient"), input_x_gradient(model, x, {.target = 3}).row(0)) < 1e-7);
  CHECK(relative_l2(by_method("integrated_gradients"),
                    integrated_gradients(model, x, {.target = 3}).attribution.row(0)) < 1e-7);
  CHECK(usage_error([&] {
          by_method("grad_cam");
        }).starts_with("a mean over noisy pictures needs maps like the picture"));
  CHECK(usage_error([&] { by_method("gradeint"); }).starts_with("there is no method 'gradeint'"));
  CHECK(usage_error([&] { smooth_grad(model, x, {.samples = 0}); }) ==
        "a mean over samples needs at least one, not 0");
  CHECK(usage_error([&] { smooth_grad(model, x, {.sigma = -1}); }).starts_with("the noise's sigma"));
}

TEST_CASE("sampled gradients: the same bits in any batch and memory, other numbers by another seed") {
  const Tensor x = formula_input({2, 3, 14, 11}), black = baseline_named("black", x.slice(0, 1));
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const auto smooth = [&](const Tensor& images, const std::string& noise = "hash") {
      return var_grad(net, images, {.samples = 3, .draws = Draws(noise)});
    };
    const auto shap = [&](const Tensor& images, const std::string& noise = "hash") {
      return gradient_shap(net, images, {.samples = 3, .baselines = {black}, .draws = Draws(noise)})
          .attribution;
    };
    const Tensor all = smooth(x), shares = shap(x);
    CHECK(!same_bits(smooth(x, "1"), all));
    CHECK(!same_bits(shap(x, "1"), shares));
    for (int64_t n = 0; n < 2; ++n) {
      CHECK(same_bits(smooth(x.slice(n, n + 1)).row(0), all.row(n)));
      CHECK(same_bits(shap(x.slice(n, n + 1)).row(0), shares.row(n)));
    }
    if (device == Device::sim()) continue;  // slow
    for (const int64_t limit : memory_limits(device)) {
      net.memory_limit = limit;
      try {
        const Tensor noisy = smooth(x), shap_again = shap(x);
        CHECK(same_bits(noisy, all));
        CHECK(same_bits(shap_again, shares));
      } catch (const Error&) {  // one image alone needs more
      }
    }
  }
}

TEST_CASE("gradient_shap: each sample's point and baseline are the draws'") {
  const Tensor x = formula_input({1, 3, 14, 11});
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const std::vector<Tensor> set{baseline_named("zero", x), baseline_named("black", x),
                                baseline_named("noise", x)};
  const GradientShapResult r = gradient_shap(net, x, {.target = 2, .samples = 7, .baselines = set});
  const Draws draws;
  std::vector<double> wanted(static_cast<size_t>(x.numel()));
  double expected = 0;
  for (int64_t s = 0; s < 7; ++s) {
    const Tensor& b = set[static_cast<size_t>(3 * draws.uniform("gradient_shap.baseline", s))];
    const double a = draws.uniform("gradient_shap.alpha", s);
    const Tensor point(Dtype::f32, x.shape());
    for (int64_t i = 0; i < x.numel(); ++i)
      point.values<float>()[i] = static_cast<float>(b.item(i) + a * (x.item(i) - b.item(i)));
    const Tensor g = gradient(net, point, {.target = 2});
    for (int64_t i = 0; i < x.numel(); ++i)
      wanted[static_cast<size_t>(i)] += (x.item(i) - b.item(i)) * g.item(i) / 7;
    expected += net.logits(b).item(2) / 7;
  }
  double sum = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    CHECK(r.attribution.item(i) == doctest::Approx(wanted[static_cast<size_t>(i)]).epsilon(1e-12));
    sum += wanted[static_cast<size_t>(i)];
  }
  CHECK(r.expected[0] == doctest::Approx(expected).epsilon(1e-12));
  CHECK(r.scores[0] == net.logits(x).item(2));
  CHECK(r.residuals[0] == doctest::Approx(sum - (r.scores[0] - expected)).epsilon(1e-9));
}

// Every point of a way has the same gradient there: any samples give the exact shares.
TEST_CASE("gradient_shap: of a linear network, the weights times the mean difference; with noise too") {
  const Tensor x = formula_input({1, 3, 6, 5}), b = formula_input({2, 3, 6, 5}).slice(1, 2);
  for (const Device device : devices()) {
    Network net = with_formula_weights(linear_graph(6, 5), device);
    const Tensor map = gradient_shap(net, x, {.target = 1, .samples = 2, .baselines = {b}}).attribution;
    const Tensor w = net.parameter("fc.weight").row(1);
    for (int64_t i = 0; i < x.numel(); ++i)
      CHECK(map.item(i) == doctest::Approx(w.item(i) * (x.item(i) - b.item(i))).epsilon(1e-6));
    CHECK(!same_bits(
        gradient_shap(net, x, {.target = 1, .samples = 2, .baselines = {b}, .sigma = 0.1}).attribution, map));
  }
  Network net = with_formula_weights(linear_graph(6, 5), Device::ref());
  CHECK(usage_error([&] { gradient_shap(net, x, {.samples = 0}); }) ==
        "GradientSHAP needs at least one sample, not 0");
  CHECK(usage_error([&] {
          gradient_shap(net, x, {.baselines = {formula_input({1, 3, 6, 6})}});
        }) == "a baseline of GradientSHAP is (1, 3, 6, 6), but an image is (1, 3, 6, 5)");
}

}  // namespace
}  // namespace loupe::test
