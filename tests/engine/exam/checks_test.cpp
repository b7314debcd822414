// Checks beside maps: they pass for what is right, and fail, in words, for the same map made wrong.
#include "engine/exam/checks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/exam/baselines.h"
#include "engine/methods/cam.h"
#include "tests/support/networks.h"
#include "tests/support/planes.h"

namespace loupe::test {

using doctest::Approx;

namespace {

Tensor picture(Shape shape, uint64_t seed = 7) {
  std::vector<double> values;
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(noise(seed, static_cast<uint64_t>(i)));
  return tensor(values, shape).to(Dtype::f32);
}

struct Asked {
  ImageModel& model;
  Tensor input = {};
  const Method& method;
  Options options;
  Tensor logits;
  int64_t target;

  Asked(ImageModel& m, Tensor x, const Method& how)
      : model(m),
        input(std::move(x)),
        method(how),
        options(std::string(how.name), how.options),
        logits(m.logits(input)),
        target(Target(top1).classes(logits)[0]) {}
  Question question() const { return {.model = model, .input = input, .target = target, .logits = logits}; }
  Explanation found() const { return method.run(question(), options); }
  std::vector<Check> checks(const Explanation& e) const {
    return Checks(model).of(method, options, question(), e);
  }
};

Check check(const std::vector<Check>& all, std::string_view name) {
  const auto at = std::ranges::find(all, name, &Check::name);
  REQUIRE_MESSAGE(at != all.end(), name);
  CHECK((at->passes == false) == (at->meaning.starts_with("fails: ")));
  return *at;
}

// The explanation with its first map multiplied by a factor and moved by an offset.
Explanation changed(Explanation e, double factor, double offset = 0) {
  const Tensor values = e.maps[0].values.to(Dtype::f64);
  for (double& v : values.values<double>()) v = factor * v + offset;
  e.maps[0].values = values;
  return e;
}

}  // namespace

TEST_CASE("checks: a gradient agrees with a difference in double, a wrong one does not") {
  for (const Device device : devices())
    for (const char* name : {"gradient", "input_x_gradient"}) {
      CAPTURE(device.str());
      CAPTURE(name);
      ImageModel model = model_with_formula_weights(SmallNetwork{}.graph(), device);
      const Asked asked(model, picture({1, 3, 14, 11}), find_method(name));
      const Check right = check(asked.checks(asked.found()), "directional_difference");
      CHECK(right.passes == true);
      CHECK(std::abs(right.value) < (device.str() == "ref" ? 1e-6 : 1e-3));
      for (const double factor : {1.5, -1.0}) {
        const Check wrong = check(asked.checks(changed(asked.found(), factor)), "directional_difference");
        CHECK(wrong.passes == false);
        CHECK(wrong.meaning.find("off by more than 1 %") != std::string::npos);
      }
    }
}

TEST_CASE("checks: a class activation map adds up to the score") {
  for (const Device device : devices())
    for (const bool linear : {true, false}) {
      CAPTURE(device.str());
      CAPTURE(linear);
      ImageModel model =
          model_with_formula_weights(linear ? SmallNetwork{}.graph() : channel_head_graph(), device);
      const Shape one = model.graph().input_shapes().at(0);
      const Asked asked(model, picture(one), find_method("cam"));
      const Check right = check(asked.checks(asked.found()), "cam_identity");
      CHECK(right.passes == true);
      CHECK(std::abs(right.value) < 1e-4);
      const Check wrong = check(asked.checks(changed(asked.found(), 1, 0.1)), "cam_identity");
      CHECK(wrong.passes == false);
      CHECK(wrong.meaning.find("does not make up the score") != std::string::npos);
    }
}

TEST_CASE("checks: shares of a linear network predict every drop; none, or the opposite, do not") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel model = model_with_formula_weights(linear_graph(16, 12), device);
    const Asked asked(model, picture({1, 3, 16, 12}), find_method("input_x_gradient"));
    const auto infidelity = [&](double factor) {
      return check(asked.checks(changed(asked.found(), factor)), "infidelity");
    };
    for (const double factor : {1.0, 3.0}) {
      CHECK(infidelity(factor).value < 1e-6);
      CHECK(infidelity(factor).passes == true);
      REQUIRE(infidelity(factor).interval);
      CHECK(infidelity(factor).interval->second < 1e-5);
    }
    CHECK(infidelity(0).value == 1);
    CHECK(infidelity(0).passes == false);
    CHECK(infidelity(-1).meaning.find("rather rises") != std::string::npos);
    // The gradient is a rate: times the input it predicts the same.
    const Asked rate(model, picture({1, 3, 16, 12}), find_method("gradient"));
    CHECK(check(rate.checks(rate.found()), "infidelity").value < 1e-6);
  }
}

TEST_CASE("checks: what looks at no weights fails the randomisation") {
  ImageModel model = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  for (const Method* baseline : {&centre_baseline, &random_baseline}) {
    const Asked asked(model, picture({1, 3, 14, 11}), *baseline);
    const Check wrong = check(asked.checks(asked.found()), "randomisation");
    CHECK(wrong.value == Approx(1));
    CHECK(wrong.passes == false);
    CHECK(wrong.meaning.find("hardly shows what was learned") != std::string::npos);
  }
  const Asked asked(model, picture({1, 3, 14, 11}), find_method("input_x_gradient"));
  CHECK(check(asked.checks(asked.found()), "randomisation").value < 0.99);
}

TEST_CASE("checks: a completeness residual as a share of what is to be explained") {
  ImageModel model = model_with_formula_weights(linear_graph(8, 8), Device::cpu());
  const Asked asked(model, picture({1, 3, 8, 8}), find_method("integrated_gradients"));
  const Check right = check(asked.checks(asked.found()), "completeness_share");
  CHECK(right.passes == true);
  CHECK(right.value < 1e-4);
  // Shares a tenth too large miss the difference by a tenth.
  Explanation wrong = changed(asked.found(), 1.1);
  double sum = 0;
  for (int64_t i = 0; i < wrong.maps[0].values.numel(); ++i) sum += wrong.maps[0].values.item(i);
  for (Check& c : wrong.checks)
    if (c.name == "completeness_residual") c.value = sum - sum / 1.1;
  CHECK(check(asked.checks(wrong), "completeness_share").value == Approx(0.1));
  CHECK(check(asked.checks(wrong), "completeness_share").passes == false);
}

TEST_CASE("checks: the same in every run, and of one picture after another") {
  ImageModel model = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  Checks one(model);
  for (const uint64_t seed : {1, 2}) {
    const Asked asked(model, picture({1, 3, 14, 11}, seed), find_method("gradient"));
    const Explanation found = asked.found();
    const std::vector<Check> here = one.of(asked.method, asked.options, asked.question(), found),
                             there = asked.checks(found);
    REQUIRE(here.size() == there.size());
    for (size_t i = 0; i < here.size(); ++i) {
      CHECK(here[i].name == there[i].name);
      CHECK(here[i].value == there[i].value);
      CHECK(here[i].meaning == there[i].meaning);
    }
  }
}

}  // namespace loupe::test
