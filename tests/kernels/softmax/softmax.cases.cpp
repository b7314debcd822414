#include "kernels/softmax/softmax.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/ladder.h"
#include "tests/support/device.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

// The vjp's terms are y_c·g_c and y_c·Σ g_k y_k.
std::vector<double> magnitude(const OpCase& test, Direction direction, const Operands& o) {
  if (direction == Direction::forward) return {};
  const SoftmaxSizes s = static_cast<const SoftmaxOp&>(*test.op).sizes(o.shapes[0]);
  const Numbers y = o.output->numbers();
  const auto at = [&](int64_t n, int64_t k, int64_t p) {
    return static_cast<size_t>((n * s.c + k) * s.pixels + p);
  };
  Numbers m(y.size());
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t p = 0; p < s.pixels; ++p) {
      double sum = 0;
      for (int64_t k = 0; k < s.c; ++k) sum += std::fabs(o.grad_output[at(n, k, p)]) * y[at(n, k, p)];
      for (int64_t k = 0; k < s.c; ++k)
        m[at(n, k, p)] = y[at(n, k, p)] * (std::fabs(o.grad_output[at(n, k, p)]) + sum);
    }
  return m;
}

}  // namespace

// 4 ulps: for draws in [-1, 1) the rounding of x − max, at most 2, moves exp by 1 ulp at most, exp itself is
// within 1 ulp of the C library's, and both enter twice, above and below the line.
extern const OpSuite softmax_suite{
    .cases = {{"vectors, batch 3", softmax(), {{3, 37}}},
              {"a thousand classes", softmax(), {{1, 1000}}},
              {"more than a warp's share", softmax(), {{3, 1033}}},
              {"more than a warp's share, whole vectors", softmax(), {{1, 2100}}},
              {"more rows than a block takes", softmax(), {{10, 12}}},
              {"whole blocks", softmax(), {{1, 32}}},
              {"odd map", softmax(), {{3, 5, 3, 5}}},
              {"map, several blocks", softmax(), {{1, 35, 3, 3}}},
              {"1×1 map", softmax(), {{3, 21, 1, 1}}},
              {"one channel", softmax(), {{1, 1, 2, 3}}},
              {"the last axis of vectors", softmax(-1), {{3, 37}}},
              {"tokens, axis 1", softmax(), {{2, 11, 5}}},
              {"tokens, axis 1, more than a block of them", softmax(), {{2, 7, 37}}},
              {"the last axis of tokens", softmax(-1), {{2, 3, 83}}},
              {"the keys of attention", softmax(-1), {{2, 3, 5, 50}}},
              {"the keys of attention, whole blocks", softmax(3), {{1, 2, 3, 64}}},
              {"axis 2 of 5", softmax(2), {{2, 3, 7, 5, 4}}},
              {.name = "over the batch", .op = softmax(0), .inputs = {{6, 5}}, .unbatched = 1}},
    .rejections = {{"no class",
                    [] {
                      infer(softmax(), {{1, 0}});
                    },
                    "softmax takes a non-empty input, got (1, 0)"},
                   {"no such axis",
                    [] {
                      infer(softmax(3), {{1, 2, 3}});
                    },
                    "(1, 2, 3) has no axis 3"},
                   {"no axis 1", [] { infer(softmax(), {{4}}); }, "(4) has no axis 1"},
                   {"two inputs",
                    [] {
                      infer(softmax(), {{1, 2}, {1, 2}});
                    },
                    "1 input(s), got 2"}},
    .function_ulps = 4,
    .magnitude = magnitude,
};

TEST_CASE("softmax: large scores do not overflow, and NaN spreads over its pixel alone") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto check = [&](Backend backend, int axis, Shape shape) {
    const How how{.backend = backend, .dtype = Dtype::f32};
    const Operands o{.shapes = {shape}, .inputs = {{1000, 999, -1000, -5000, -5000, -5000, 1, nan, 2}}};
    const Numbers y = call(*softmax(axis), Direction::forward, how, o).value.numbers();
    CHECK(y[0] == doctest::Approx(1 / (1 + std::exp(-1.0))));
    CHECK(y[2] == 0);
    CHECK(y[3] == doctest::Approx(1.0 / 3));
    for (size_t i = 6; i < 9; ++i) CHECK(std::isnan(y[i]));
    const Numbers log = call(*log_softmax(axis), Direction::forward, how, o).value.numbers();
    CHECK(log[2] == doctest::Approx(-2000 - std::log(1 + std::exp(-1.0))));
    CHECK(log[3] == doctest::Approx(-std::log(3.0)));
    for (size_t i = 6; i < 9; ++i) CHECK(std::isnan(log[i]));
  };
  for (const Backend backend : host_and_simulator()) {
    check(backend, 1, {3, 3});
    check(backend, 2, {3, 1, 3});
    check(backend, 1, {3, 3, 1});
  }
}

TEST_CASE("softmax: minus infinity along the last axis and along pixels") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const Backend backend : host_and_simulator())
    for (const int axis : {1, 2}) {
      const Operands o{.shapes = {axis == 1 ? Shape{2, 2, 1} : Shape{2, 1, 2}},
                       .inputs = {{-inf, 3, -inf, -inf}}};
      const How how{.backend = backend, .dtype = Dtype::f32};
      const Numbers y = call(*softmax(axis), Direction::forward, how, o).value.numbers();
      CHECK(y[0] == 0);
      CHECK(y[1] == 1);
      for (size_t i = 2; i < 4; ++i) CHECK(std::isnan(y[i]));
    }
}

TEST_CASE("softmax: a score of minus infinity counts nothing, on every rung of the ladder too") {
  if (std::ranges::count(host_and_simulator(), Backend::sim) == 0) return;
  const double inf = std::numeric_limits<double>::infinity();
  std::vector<Kernel> kernels{nullptr};  // the op's own
  for (const Ladder* ladder : all_ladders())
    if (ladder->op == "softmax")
      for (const Rung& rung : ladder->rungs) kernels.push_back(rung.forward);
  CHECK(kernels.size() == 5);
  for (const Kernel kernel : kernels) {
    const How how{.backend = Backend::sim, .dtype = Dtype::f32, .kernel = kernel};
    const Operands o{.shapes = {{2, 4}}, .inputs = {{-inf, 3, -inf, 3, -inf, -inf, -inf, -inf}}};
    const Numbers y = call(*softmax(), Direction::forward, how, o).value.numbers();
    for (size_t i = 0; i < 4; ++i) CHECK(y[i] == (i % 2 ? 0.5 : 0));
    for (size_t i = 4; i < 8; ++i) CHECK(std::isnan(y[i]));  // nothing to share out
  }
}

}  // namespace loupe::test
