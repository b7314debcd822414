// What is explained: any scalar of a network's result, or of a node in the middle.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/methods/cam.h"
#include "engine/methods/gradient.h"
#include "engine/methods/integrated_gradients.h"
#include "engine/methods/occlusion.h"
#include "models/io/formula.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

// Σ_c weights[n][c] · gradient of score c, of each image.
Tensor weighted_gradients(Network& net, const Tensor& x, const std::vector<std::vector<double>>& weights) {
  Tensor sum = Tensor::zeros(Dtype::f64, x.shape());
  const int64_t image = x.numel() / x.shape()[0];
  for (int64_t c = 0; c < net.classes(); ++c) {
    const Tensor g = gradient(net, x, {.target = c});
    for (int64_t i = 0; i < x.numel(); ++i)
      sum.values<double>()[static_cast<size_t>(i)] +=
          weights[static_cast<size_t>(i / image)][static_cast<size_t>(c)] * g.item(i);
  }
  return sum;
}

TEST_CASE("targets: a difference, a weighted sum and a loss have the gradients that their slopes say") {
  const Tensor x = formula_input({2, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const Tensor logits = net.logits(x);
    const double bound = device == Device::ref() ? 1e-12 : 1e-5;
    const auto check = [&](const Target& target, const std::vector<std::vector<double>>& slopes) {
      CHECK(relative_l2(gradient(net, x, {.target = target}), weighted_gradients(net, x, slopes)) <= bound);
      CHECK_FALSE(target.is_class());
    };
    const std::vector<double> difference{0, 1, 0, -1, 0}, sum{0.5, 0, -2, 0, 0.25};
    check(Target::difference(1, 3), {difference, difference});
    check(Target::sum({{0, 0.5}, {2, -2}, {4, 0.25}}), {sum, sum});
    std::vector<std::vector<double>> loss;
    for (int64_t n = 0; n < 2; ++n) {
      double all = 0;
      for (int64_t c = 0; c < 5; ++c) all += std::exp(logits.item(n * 5 + c));
      loss.emplace_back();
      for (int64_t c = 0; c < 5; ++c)
        loss.back().push_back(std::exp(logits.item(n * 5 + c)) / all - (c == 2));
    }
    check(Target::loss(2), loss);
  }
}

TEST_CASE("targets: the values of scalars") {
  const Tensor result = Tensor::from(std::vector<double>{1, 2, 4, -1, 0, 3}, {2, 3});
  CHECK(Target::difference(2, 0).scores(result) == std::vector<double>{3, 4});
  CHECK(Target::sum({{0, 2}, {1, -1}, {0, 1}}).scores(result) == std::vector<double>{1, -3});
  CHECK(Target(std::vector<int64_t>{9, 1, 0}).scores(result, 1) == std::vector<double>{2, -1});
  CHECK(Target(top1).scores(result) == std::vector<double>{4, 3});
  const std::vector<double> losses = Target::loss(1).scores(result);
  CHECK(losses[0] ==
        doctest::Approx(std::log(std::exp(1.0) + std::exp(2.0) + std::exp(4.0)) - 2).epsilon(1e-14));
  CHECK(losses[1] == doctest::Approx(std::log(std::exp(-1.0) + 1 + std::exp(3.0))).epsilon(1e-14));
  CHECK(values_of(Target(2).seed(result)) == std::vector<double>{0, 0, 1, 0, 0, 1});
  CHECK(values_of(Target::difference(0, 1).seed(result)) == std::vector<double>{1, -1, 0, 1, -1, 0});
}

TEST_CASE("targets: a loss of large scores does not overflow") {
  const Tensor result = Tensor::from(std::vector<double>{1000, 900, -1000}, {1, 3});
  CHECK(Target::loss(1).scores(result)[0] == doctest::Approx(100));
  CHECK(values_of(Target::loss(0).seed(result))[1] == doctest::Approx(std::exp(-100.0)));
}

// f = ½ Σ v² of the values v of a ReLU in the middle: the seed is v, and the slope of f along any direction
// that of the pass.
TEST_CASE("targets: a scalar of a node in the middle, against finite differences") {
  const Target energy(Target::Scalar([](std::span<const double> v, std::span<double> slope) {
    double sum = 0;
    for (size_t i = 0; i < v.size(); ++i) sum += v[i] * v[i] / 2, slope[i] = v[i];
    return sum;
  }));
  const Tensor x = random_tensor({2, 3, 14, 11}, 1);
  Tensor of_ref;
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const NodeId middle = net.graph().find("relu2");
    Tensor map(device.compute_dtype(), x.shape());
    ScorePass pass{.net = net,
                   .one = x.shape().with(0, 1),
                   .purpose = {.from = middle, .gradients = {0}},
                   .target = energy};
    pass.run(
        2, [&](int64_t begin, int64_t end) { return x.slice(begin, end); },
        [&](Execution& e, int64_t begin) { copy_rows(e.gradient(0), map, begin); });
    if (device != Device::ref()) {
      CHECK(relative_l2(map, of_ref) < 1e-5);
      continue;
    }
    of_ref = map;
    const auto energies = [&](const Tensor& input) {
      return energy.scores(run(net, {.values = {middle}}, input, {}).values[0]);
    };
    for (int64_t i = 0; i < x.numel(); i += 61) {
      const double h = 1e-6;
      Tensor up = x.clone(), down = x.clone();
      up.values<double>()[static_cast<size_t>(i)] += h;
      down.values<double>()[static_cast<size_t>(i)] -= h;
      const auto n = static_cast<size_t>(i / 462);
      const double quotient = (energies(up)[n] - energies(down)[n]) / (2 * h);
      // Its error: rounding of the energies over the step.
      CHECK(std::abs(map.item(i) - quotient) <= 1e-7 * std::max(1.0, std::abs(energies(x)[n])));
    }
  }
}

TEST_CASE("targets: what does not fit is refused") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor x = formula_input({1, 3, 14, 11});
  CHECK(usage_error([&] { gradient(net, x, {.target = Target::difference(1, 5)}); }) ==
        "there is no class 5: the network has 5, counted from 0");
  CHECK(usage_error([&] { gradient(net, x, {.target = Target::loss(-1)}); }) ==
        "there is no class -1: the network has 5, counted from 0");
  const std::string no_class =
      "this method explains the score of a class, not another function of the result";
  CHECK(usage_error([&] { Target::difference(0, 1).classes(net.logits(x)); }) == no_class);
  CHECK(usage_error([&] { cam(net, x, {.target = Target::loss(1)}); }) ==
        "cam explains a class, or a weighted sum of classes, and not a function of the result");
}

TEST_CASE("targets: a unit of a layer, at a place, over all places, of tokens and of rows") {
  const Tensor maps = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 2, 2});
  CHECK(Target::unit(1, {{1, 0}}).scores(maps) == std::vector<double>{7});
  CHECK(values_of(Target::unit(1, {{1, 0}}).seed(maps)) == std::vector<double>{0, 0, 0, 0, 0, 0, 1, 0});
  CHECK(Target::unit(0).scores(maps) == std::vector<double>{10});
  CHECK(values_of(Target::unit(0).seed(maps)) == std::vector<double>{1, 1, 1, 1, 0, 0, 0, 0});
  const Tensor tokens = maps.reshape({1, 4, 2});
  CHECK(Target::unit(1).scores(tokens) == std::vector<double>{20});
  CHECK(values_of(Target::unit(1).seed(tokens)) == std::vector<double>{0, 1, 0, 1, 0, 1, 0, 1});
  CHECK(Target::unit(1).scores(maps.reshape({4, 2})) == std::vector<double>{2, 4, 6, 8});
  CHECK(usage_error([&] { Target::unit(2).seed(maps); }) ==
        "there is no unit 2: the layer (1, 2, 2, 2) has 2, counted from 0");
  CHECK(usage_error([&] {
          Target::unit(0, {{2, 0}}).seed(maps);
        }) == "there is no place (2, 0) in maps of 2×2");
  CHECK(usage_error([&] {
          Target::unit(0, {{0, 0}}).seed(tokens);
        }) == "a layer (1, 4, 2) has no maps: its unit is C alone, without a place");
}

TEST_CASE("targets: what they are called") {
  CHECK(Target(top1).words() == "the likeliest class");
  CHECK(Target(3).words() == "class 3");
  CHECK(Target::difference(3, 5).words() == "class 3 − class 5");
  CHECK(Target::sum({{1, -0.5}, {2, 2}}).words() == "−0.5·class 1 + 2·class 2");
  CHECK(Target::unit(7, {{6, 5}}).words() == "unit 7 at (6, 5)");
  CHECK(Target(3).called("jaguar").words() == "jaguar");
}

// The methods see the unit as they see a class: its gradient is that of a network which ends there, its shares add
// up to its difference, and it falls where it is covered.
TEST_CASE("targets: every method explains a unit of a layer") {
  const Tensor x = random_tensor({2, 3, 14, 11}, 3);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const NodeId layer = net.graph().find("relu2");
    const Purpose purpose{.values = {layer}, .from = layer, .gradients = {0}};
    for (const Target& unit : {Target::unit(2, {{1, 2}}), Target::unit(2)}) {
      const Target target = unit.of(layer);
      Execution& pass = net.execution(x.shape(), purpose);
      pass.forward(x);
      const Tensor values = pass.value(layer);
      pass.backward(unit.seed(values));
      CHECK(same_bits(gradient(net, x, {.target = target}), pass.gradient(0)));
      const IntegratedGradientsResult r = integrated_gradients(net, x, {.target = target, .steps = 300});
      const OcclusionResult o = occlusion(net, x, {.target = target, .window = 5, .stride = 4});
      CHECK_FALSE(o.probability.defined());
      for (size_t n = 0; n < 2; ++n) {
        CHECK(r.scores[n] == unit.scores(values)[n]);
        CHECK(std::abs(r.residuals[n]) < 2e-3 * (1 + std::abs(r.scores[n])));
      }
      Tensor covered = x.clone();
      for (int64_t c = 0; c < 3; ++c)
        for (int64_t y = 0; y < 5; ++y)
          for (int64_t k = 4; k < 9; ++k)
            covered.values<double>()[static_cast<size_t>((c * 14 + y) * 11 + k)] = 0;
      pass.forward(covered);
      const double score = unit.scores(pass.value(layer))[0];  // a sum over places, rounded once
      CHECK(o.logit.item(1) == (device == Device::ref() ? score : static_cast<float>(score)));
    }
  }
}

TEST_CASE("targets: the map of a difference is the difference of maps, and a unit has none of CAM's") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const Tensor x = formula_input({2, 3, 14, 11});
    const Tensor both = cam(net, x, {.target = Target::difference(1, 3)}), a = cam(net, x, {.target = 1}),
                 b = cam(net, x, {.target = 3});
    for (int64_t i = 0; i < both.numel(); ++i)
      CHECK(both.item(i) == doctest::Approx(a.item(i) - b.item(i)).epsilon(1e-5));
  }
}

// Σ attribution = F(x) − F(baseline) for any scalar F; a drop of a difference is the difference of drops.
TEST_CASE("targets: integrated gradients and occlusion of a difference and a loss") {
  const Tensor x = formula_input({2, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const Tensor logits = net.logits(x), none = net.logits(Tensor::zeros(Dtype::f32, x.shape()));
    const Target difference = Target::difference(1, 3), loss = Target::loss(2);
    for (const Target& target : {difference, loss}) {
      const IntegratedGradientsResult r = integrated_gradients(net, x, {.target = target, .steps = 300});
      for (size_t n = 0; n < 2; ++n) {
        CHECK(r.scores[n] == doctest::Approx(target.scores(logits)[n]));
        CHECK(r.baseline_scores[n] == doctest::Approx(target.scores(none)[n]));
        // 300 points for a piecewise smooth curve: as good as for a class (integrated_gradients_test).
        CHECK(std::abs(r.residuals[n]) < 2e-3);
      }
    }
    const auto occluded = [&](const Target& target) {
      return occlusion(net, x, {.target = target, .window = 5, .stride = 4});
    };
    const OcclusionResult ours = occluded(difference), a = occluded(1), b = occluded(3);
    CHECK_FALSE(ours.probability.defined());
    double size = 0;
    for (const double v : values_of(a.logit)) size = std::max(size, std::abs(v));
    for (int64_t i = 0; i < ours.logit.numel(); ++i)
      CHECK(std::abs(ours.logit.item(i) - (a.logit.item(i) - b.logit.item(i))) <= 4 * 0x1p-24 * size);
    for (int64_t i = 0; i < ours.attribution.numel(); ++i)
      CHECK(std::abs(ours.attribution.item(i) - (a.attribution.item(i) - b.attribution.item(i))) <=
            8 * 0x1p-24 * size);
  }
}

}  // namespace
}  // namespace loupe::test
