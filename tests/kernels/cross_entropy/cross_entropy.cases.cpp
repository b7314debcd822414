#include "kernels/cross_entropy/cross_entropy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/device.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

OpCase rows(const char* name, int64_t n, int64_t classes, Draw targets = Draw::positive) {
  return {name, cross_entropy(), {{n, classes}, {n, classes}}, {Draw::uniform, targets}};
}

// The terms are t_c (m − z_c) and T log S; the relative error of S is an absolute one of its logarithm, hence
// the 1. Those of the vjps are g·T·softmax(z)_c and g·t_c; g (m − z_c) and g (log S + 1).
Numbers magnitude(const OpCase&, Direction direction, const Operands& o) {
  const int64_t n = o.shapes[0][0], classes = o.shapes[0][1];
  Numbers m;
  for (int64_t i = 0; i < n; ++i) {
    const double *z = &o.inputs[0][static_cast<size_t>(i * classes)],
                 *t = &o.inputs[1][static_cast<size_t>(i * classes)];
    const double max = *std::max_element(z, z + classes);
    double sum = 0, total = 0, distance = 0;
    for (int64_t k = 0; k < classes; ++k) {
      sum += std::exp(z[k] - max);
      total += std::fabs(t[k]);
      distance += std::fabs(t[k]) * (max - z[k]);
    }
    if (direction == Direction::forward) {
      m.push_back(distance + total * (1 + std::log(sum)));
      continue;
    }
    const double g = std::fabs(o.grad_output[static_cast<size_t>(i)]);
    for (int64_t k = 0; k < classes; ++k)
      m.push_back(g * (direction == Direction::vjp_input
                           ? total * std::exp(z[k] - max) / sum + std::fabs(t[k])
                           : max - z[k] + std::log(sum) + 1));
  }
  return m;
}

}  // namespace

// 4 ulps: exp and log within 1 ulp of the C library's each, and the rounding of z − m (at most 2 for draws in
// [-1, 1)) moves exp by 1 more; 1 for what remains.
extern const OpSuite cross_entropy_suite{
    .cases = {rows("fewer classes than a block, batch 3", 3, 14), rows("a block and a bit", 3, 17),
              rows("a thousand classes", 2, 1000), rows("more rows than a block takes", 11, 32),
              rows("one class", 2, 1), rows("one image", 1, 10),
              rows("targets of either sign", 3, 37, Draw::uniform)},
    .rejections = {{"no class",
                    [] {
                      infer(cross_entropy(), {{1, 0}, {1, 0}});
                    },
                    "one non-empty shape (N, classes), got (1, 0) and (1, 0)"},
                   {"maps",
                    [] {
                      infer(cross_entropy(), {{1, 2, 1, 1}, {1, 2, 1, 1}});
                    },
                    "got (1, 2, 1, 1) and (1, 2, 1, 1)"},
                   {"two shapes",
                    [] {
                      infer(cross_entropy(), {{1, 2}, {1, 3}});
                    },
                    "got (1, 2) and (1, 3)"},
                   {"no targets",
                    [] {
                      infer(cross_entropy(), {{1, 2}});
                    },
                    "cross_entropy takes 2 input(s), got 1"}},
    .function_ulps = 4,
    .magnitude = magnitude,
};

TEST_CASE("cross_entropy: known losses, however large the logits") {
  for (const Backend backend : host_and_simulator()) {
    CAPTURE(backend_name(backend));
    const How how{.backend = backend, .dtype = Dtype::f32};
    Operands o{.shapes = {{4, 3}, {4, 3}},
               .inputs = {{0, 0, 0, 30000, 0, -30000, 30000, 0, -30000, -1e30, -1e30, -1e30},
                          {0, 1, 0, 1, 0, 0, 0.5, 0, 0.5, 0.25, 0.25, 0.5}},
               .grad_output = {1, 1, 1, 1}};
    const Numbers loss = call(*cross_entropy(), Direction::forward, how, o).value.numbers();
    CHECK(loss[0] == doctest::Approx(std::log(3.0)));
    CHECK(loss[1] == 0);
    CHECK(loss[2] == 30000);
    CHECK(loss[3] == doctest::Approx(std::log(3.0)));
    const Numbers g = call(*cross_entropy(), Direction::vjp_input, how, o).value.numbers();
    CHECK(g[0] == doctest::Approx(1.0 / 3));
    CHECK(g[1] == doctest::Approx(-2.0 / 3));
    for (size_t i = 3; i < 6; ++i) CHECK(g[i] == 0);
    CHECK(g[6] == 0.5);
    CHECK(g[7] == 0);
    CHECK(g[8] == -0.5);
  }
}

TEST_CASE("cross_entropy: a logit that is not finite shows in the loss of its row, and in no other") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const Backend backend : host_and_simulator())
    for (const double bad : {nan, inf, -inf})
      for (const size_t at : {0u, 7u, 31u, 32u, 39u})
        for (const size_t right : {at, size_t{7}}) {
          CAPTURE(backend_name(backend));
          CAPTURE(bad);
          CAPTURE(at);
          const How how{.backend = backend, .dtype = Dtype::f32};
          Operands o{.shapes = {{2, 40}, {2, 40}}, .inputs = {Numbers(80, 0.5), Numbers(80)}};
          o.inputs[0][at] = bad;
          o.inputs[1][right] = o.inputs[1][40] = 1;
          const Numbers loss = call(*cross_entropy(), Direction::forward, how, o).value.numbers();
          CHECK(!std::isfinite(loss[0]));
          if (bad != -inf) CHECK(std::isnan(loss[0]));
          CHECK(loss[1] == doctest::Approx(std::log(40.0)));
        }
}

}  // namespace loupe::test
