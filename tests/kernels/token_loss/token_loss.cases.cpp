#include "kernels/token_loss/token_loss.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/device.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

OpCase tokens(const char* name, Shape places, int64_t classes) {
  std::vector<int64_t> dims(places.dims().begin(), places.dims().end());
  dims.push_back(classes);
  return {.name = name,
          .op = token_loss(),
          .inputs = {Shape(dims), places},
          .draws = {Draw::uniform, Draw::indices},
          .limit = classes};
}

const std::vector<Dtype> kTypes = {Dtype::f32, Dtype::i32};

// The terms are m − z_t and log S, whose absolute error is S's relative one, hence the 1; those of the vjp
// g·softmax(z)_c and, at the right token, g.
Numbers magnitude(const OpCase&, Direction direction, const Operands& o) {
  const int64_t classes = o.shapes[0].back(), rows = o.shapes[1].numel();
  Numbers m;
  for (int64_t i = 0; i < rows; ++i) {
    const double* z = &o.inputs[0][static_cast<size_t>(i * classes)];
    const auto right = static_cast<int64_t>(o.inputs[1][static_cast<size_t>(i)]);
    const double max = *std::max_element(z, z + classes);
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(z[k] - max);
    if (direction == Direction::forward) {
      m.push_back(max - z[right] + 1 + std::log(sum));
      continue;
    }
    const double g = std::fabs(o.grad_output[static_cast<size_t>(i)]);
    for (int64_t k = 0; k < classes; ++k)
      m.push_back(g * (std::exp(z[k] - max) / sum + (k == right ? 1 : 0)));
  }
  return m;
}

}  // namespace

// 4 ulps: as cross_entropy's.
extern const OpSuite token_loss_suite{
    .cases = {tokens("sequences", {3, 5}, 14), tokens("a row of places", {7}, 17),
              tokens("a vocabulary wider than a warp", {2, 3}, 1000), tokens("one token", {2, 4}, 1),
              tokens("more rows than a block takes", {1, 11}, 32)},
    .rejections = {{"no token",
                    [] {
                      infer(token_loss(), {{1, 2, 0}, {1, 2}}, kTypes);
                    },
                    "non-empty logits (…, vocabulary) and tokens i32 (…), got (1, 2, 0) and i32 (1, 2)"},
                   {"other places",
                    [] {
                      infer(token_loss(), {{1, 2, 3}, {1, 3}}, kTypes);
                    },
                    "got (1, 2, 3) and i32 (1, 3)"},
                   {"tokens of floats",
                    [] {
                      infer(token_loss(), {{1, 2, 3}, {1, 2}});
                    },
                    "f32 (1, 2)"},
                   {"logits alone",
                    [] {
                      infer(token_loss(), {{1, 2, 3}});
                    },
                    "token_loss takes 2 inputs, got 1"}},
    .function_ulps = 4,
    .magnitude = magnitude,
};

// PyTorch 2.x, float64: F.cross_entropy(z, t, reduction="none") and its gradient of ones.
TEST_CASE("token_loss: PyTorch's numbers, and known losses however large the logits") {
  for (const Backend backend : host_and_simulator()) {
    CAPTURE(backend_name(backend));
    const How how{.backend = backend, .dtype = Dtype::f32, .input_types = kTypes};
    Operands o{.shapes = {{1, 3, 4}, {1, 3}},
               .inputs = {{0.5, -1.25, 2, 0, 30000, 0, -30000, 1, -1e30, -1e30, -1e30, -1e30}, {1, 2, 3}},
               .grad_output = {1, 2, 1}};
    const Numbers loss = call(*token_loss(), Direction::forward, how, o).value.numbers();
    CHECK(loss[0] == doctest::Approx(3.58449861260366));
    CHECK(loss[1] == 60000);
    CHECK(loss[2] == doctest::Approx(std::log(4.0)));
    const Numbers g = call(*token_loss(), Direction::vjp_input, how, o).value.numbers();
    const double torch[] = {0.159693550032108, -0.97224942206732, 0.715696837782384, 0.096859034252827};
    for (size_t k = 0; k < 4; ++k) CHECK(g[k] == doctest::Approx(torch[k]));
    CHECK(g[4] == 2);
    CHECK(g[6] == -2);
    CHECK(g[11] == -0.75);
  }
}

TEST_CASE("token_loss: a token outside the vocabulary is named, and not finite on a device") {
  for (const Backend backend : host_and_simulator())
    for (const double token : {-1.0, 3.0}) {
      CAPTURE(backend_name(backend));
      const How how{.backend = backend, .dtype = Dtype::f32, .input_types = kTypes};
      const Operands o{
          .shapes = {{2, 3}, {2}}, .inputs = {{0, 1, 2, 3, 4, 5}, {0, token}}, .grad_output = {1, 1}};
      if (backend == Backend::ref || backend == Backend::cpu) {
        CHECK_THROWS_WITH_AS(call(*token_loss(), Direction::forward, how, o),
                             doctest::Contains("(number 1) is not below 3"), UsageError);
        continue;
      }
      const Numbers loss = call(*token_loss(), Direction::forward, how, o).value.numbers();
      CHECK(std::isfinite(loss[0]));
      CHECK(std::isnan(loss[1]));
    }
}

}  // namespace loupe::test
