// The optimisers' steps on the host: PyTorch's trajectories, ref against double, and cpu against ref to the
// bit.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "kernels/common/parallel.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/optimizer_steps.h"

namespace loupe::test {
namespace {

// The bound on a step's result. Each weight is a sum of products, of which any one is rounded at most 20
// times a step (adamw's longest way: the scaled gradient 2, its part in m 3, in the root of v 4, the root,
// its correction and epsilon 4, the step, the quotient and two sums 5), and v, of terms that are all
// positive, has no cancellation. So after t steps a weight is off by at most γ_20t·M (op_checks.h), M being
// the same sum of the terms' magnitudes, which this computes. PyTorch's own roundings count as much again in
// double.
struct Magnitudes {
  double w, m = 0;
  void add(const Rule& rule, int64_t t, double g, double v) {
    const double scaled = rule.scale * std::fabs(g);
    if (rule.adamw) {
      const AdamwSettings& s = rule.adamw_settings;
      const auto power = static_cast<double>(t);
      m = s.beta1 * m + (1 - s.beta1) * scaled;
      w += s.rate * (s.weight_decay * w + m / (1 - std::pow(s.beta1, power)) /
                                              (std::sqrt(v / (1 - std::pow(s.beta2, power))) + s.eps));
    } else {
      const SgdSettings& s = rule.sgd_settings;
      const double d = scaled + s.weight_decay * w;
      m = s.momentum * m + d;
      w += s.rate * (s.nesterov ? d + s.momentum * m : m);
    }
  }
};

// Of PyTorch's ten steps, in ref; `unit` is the roundoff of T.
template <typename T>
void check_golden(const nlohmann::json& golden, double unit) {
  const double rate = golden.at("rate"), scale = golden.value("scale", 1.0);
  const bool adamw = golden.at("rule") == "adamw";
  Parameter<T> p(5);
  std::vector<Magnitudes> magnitudes;
  for (size_t i = 0; i < 5; ++i) {
    p.w[i] = static_cast<T>((3.0 * static_cast<double>(i) - 5) / 4);
    magnitudes.push_back({std::fabs(static_cast<double>(p.w[i]))});
  }
  for (int64_t t = 1; t <= 10; ++t) {
    for (size_t i = 0; i < 5; ++i) {
      const auto k = static_cast<int64_t>(i);
      p.g[i] = i == 3 ? 0 : static_cast<T>((37 * t * t + 11 * k * t + 5 * k) % 23 - 11) / 8;
    }
    Rule rule;
    rule.adamw = adamw;
    rule.scale = scale;
    const double now = rate * (1 - static_cast<double>(t - 1) / 16);
    if (adamw) {
      AdamwSettings s{.rate = now};
      if (golden.contains("betas")) {
        s.beta1 = golden.at("betas")[0];
        s.beta2 = golden.at("betas")[1];
      }
      s.eps = golden.value("eps", s.eps);
      s.weight_decay = golden.value("weight_decay", s.weight_decay);
      rule.adamw_settings = s;
    } else {
      rule.sgd_settings = {.rate = now,
                           .momentum = golden.value("momentum", 0.0),
                           .weight_decay = golden.value("weight_decay", 0.0),
                           .nesterov = golden.value("nesterov", false)};
    }
    take_step(Backend::ref, {}, rule, t, p);
    for (size_t i = 0; i < 5; ++i) {
      const double expected = golden.at("weights")[static_cast<size_t>(t - 1)][i];
      magnitudes[i].add(rule, t, static_cast<double>(p.g[i]), static_cast<double>(p.v[i]));
      const double n = (sizeof(T) == 8 ? 40.0 : 20.0) * static_cast<double>(t);
      const double bound = n * unit / (1 - n * unit) * magnitudes[i].w;
      CAPTURE(t);
      CAPTURE(i);
      CHECK(std::fabs(static_cast<double>(p.w[i]) - expected) <= bound);
    }
  }
}

TEST_CASE("ten steps are PyTorch's") {
  std::ifstream file(LOUPE_SOURCE_DIR "/tests/fixtures/optimizer.json");
  const nlohmann::json all = nlohmann::json::parse(file);
  CHECK(all.size() == 6);
  for (const auto& golden : all) {
    CAPTURE(golden.dump().substr(0, 120));
    check_golden<double>(golden, 0x1p-53);
    check_golden<float>(golden, 0x1p-24);
  }
}

// Everything that some steps leave behind.
struct Left {
  Parameter<float> parameter;
  std::vector<double> squares;
  friend bool operator==(const Left&, const Left&) = default;
};

Left after_steps(Backend backend, const Rule& rule, size_t n) {
  Left left{drawn(n), {}};
  for (int64_t t = 1; t <= 3; ++t) {
    double squares[2] = {-1, -1}, gradient = -1;
    const std::vector<float> before = left.parameter.w;
    sum_of_squares(backend, {}, array(left.parameter.g), &gradient);
    take_step(backend, {}, rule, t, left.parameter, {squares});
    left.squares.insert(left.squares.end(), {squares[0], squares[1], gradient});
    // The sums are what they say, in any order and in double.
    std::vector<float> moved = left.parameter.w;
    for (size_t i = 0; i < n; ++i) moved[i] -= before[i];
    const double bound = static_cast<double>(n) * 0x1p-52;
    CHECK(std::fabs(squares[0] - exact_squares(moved)) <= bound * squares[0]);
    CHECK(std::fabs(squares[1] - exact_squares(left.parameter.w)) <= bound * squares[1]);
    CHECK(std::fabs(gradient - exact_squares(left.parameter.g)) <= bound * gradient);
    CHECK(squares[0] > 0);
  }
  return left;
}

TEST_CASE("cpu leaves ref's bits, whatever the size") {
  for (const Rule& rule : rules())
    for (const size_t n : {1u, 2u, 15u, 16u, 17u, 31u, 100u, 4097u, 8191u, 8192u, 8193u, 20000u}) {
      CAPTURE(rule.name);
      CAPTURE(n);
      const Left ref = after_steps(Backend::ref, rule, n), cpu = after_steps(Backend::cpu, rule, n);
      CHECK(ref.parameter == cpu.parameter);
    }
}

TEST_CASE("neither threads nor the instruction set change a bit, of the sums either") {
  const int threads = max_threads();
  for (const Rule& rule : rules()) {
    CAPTURE(rule.name);
    const size_t n = 50001;
    set_threads(1);
    const Left one = after_steps(Backend::cpu, rule, n);
    for (int t = 2; t <= 5; ++t) {
      set_threads(t);
      CHECK(after_steps(Backend::cpu, rule, n) == one);
    }
    if (!has_both_instruction_sets()) continue;
    for (const int64_t set : kInstructionSets) {
      hwy::GetChosenTarget().Update(set);
      CHECK(after_steps(Backend::cpu, rule, n) == one);
    }
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  set_threads(threads);
}

TEST_CASE("nothing beside the arrays is touched, and the gradient stays") {
  for (const Backend backend : {Backend::ref, Backend::cpu})
    for (const Rule& rule : rules()) {
      const Parameter<float> before = drawn(40);
      Parameter<float> p = before;
      const auto part = [](std::vector<float>& v) { return Array{v.data() + 18, Dtype::f32, {9}}; };
      step_of(backend, {}, rule, 1, part(p.w), part(p.g), part(p.m), part(p.v), {});
      CHECK(p.g == before.g);
      for (const auto member : {&Parameter<float>::w, &Parameter<float>::m, &Parameter<float>::v})
        for (size_t i = 0; i < 40; ++i)
          if (i < 18 || i >= 27) CHECK((p.*member)[i] == (before.*member)[i]);
      CHECK(p.w[18] != before.w[18]);
      CHECK(p.w[26] != before.w[26]);
    }
}

TEST_CASE("a NaN anywhere shows in the sum, and large numbers do not overflow") {
  for (const Backend backend : {Backend::ref, Backend::cpu})
    for (const size_t n : {1u, 16u, 40u, 8200u}) {
      std::vector<float> x(n, 3e38f);
      double sum = 0;
      sum_of_squares(backend, {}, array(x), &sum);
      CHECK(sum == doctest::Approx(static_cast<double>(n) * 9e76));
      for (const size_t at : {size_t{0}, n / 2, n - 1}) {
        std::vector<float> bad = x;
        bad[at] = std::numeric_limits<float>::quiet_NaN();
        sum_of_squares(backend, {}, array(bad), &sum);
        CHECK(std::isnan(sum));
      }
    }
}

TEST_CASE("settings that make no sense are refused, each by its name") {
  Parameter<float> p(3);
  const auto sgd = [&](const SgdSettings& s) {
    sgd_step(Backend::cpu, {}, s, 1, array(p.w), array(p.g), array(p.v));
  };
  const auto adamw = [&](const AdamwSettings& s, int64_t step = 1) {
    adamw_step(Backend::cpu, {}, s, step, 1, array(p.w), array(p.g), array(p.m), array(p.v));
  };
  CHECK_THROWS_WITH_AS(sgd({.rate = -1}), "the learning rate must be zero or more, got -1.000000",
                       UsageError);
  CHECK_THROWS_WITH_AS(sgd({.rate = NAN}), "the learning rate must be zero or more, got nan", UsageError);
  CHECK_THROWS_WITH_AS(sgd({.rate = 1, .momentum = 1}),
                       "the momentum must be at least 0 and below 1, got 1.000000", UsageError);
  CHECK_THROWS_WITH_AS(sgd({.rate = 1, .weight_decay = INFINITY}),
                       "the weight decay must be zero or more, got inf", UsageError);
  CHECK_THROWS_WITH_AS(adamw({.rate = 1, .beta1 = -0.5}),
                       "beta1 must be at least 0 and below 1, got -0.500000", UsageError);
  CHECK_THROWS_WITH_AS(adamw({.rate = 1, .beta2 = 1}), "beta2 must be at least 0 and below 1, got 1.000000",
                       UsageError);
  CHECK_THROWS_WITH_AS(adamw({.rate = 1, .eps = 0}), "epsilon must be positive, got 0.000000", UsageError);
  CHECK_THROWS_WITH_AS(adamw({.rate = 1}, 0), "AdamW counts its steps from 1, got 0", Error);
  std::vector<float> other(2);
  CHECK_THROWS_WITH_AS(
      sgd_step(Backend::cpu, {}, {}, 1, array(p.w), array(other), array(p.v)),
      "an optimiser on cpu takes planar arrays of f32 (ref: or f64), all of one shape that is "
      "not empty; the weights are f32 (3)",
      Error);
  CHECK(p == Parameter<float>(3));
}

}  // namespace
}  // namespace loupe::test
