#include "kernels/relu/relu.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/support/device.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

extern const OpSuite relu_suite{
    .cases = {{"odd map, 17 channels, batch 3", relu(), {{3, 17, 5, 7}}, {Draw::distinct}},
              {"1×1 map", relu(), {{1, 16, 1, 1}}, {Draw::distinct}},
              {"vectors", relu(), {{3, 33}}, {Draw::distinct}},
              {"whole vectors, half a byte at the end", relu(), {{3, 5, 2, 2}}, {Draw::distinct}},
              {"one element", relu(), {{1, 1, 1, 1}}, {Draw::distinct}},
              {"several tasks", relu(), {{1, 20, 23, 25}}, {Draw::distinct}}},
    .rejections = {{"no element",
                    [] {
                      infer(relu(), {{1, 0, 4, 4}});
                    },
                    "relu takes a non-empty input, got (1, 0, 4, 4)"},
                   {"two inputs",
                    [] {
                      infer(relu(), {{1, 2}, {1, 2}});
                    },
                    "relu takes 1 input(s), got 2"}},
    .exact = true,
};

TEST_CASE("relu: at zero the derivative is that of the flat side, and NaN passes") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Backend backend : host_and_simulator())
    for (const OpPtr& op : {relu(), relu6(), leaky_relu(0.25)}) {
      CAPTURE(op->kind().name);
      CAPTURE(backend_name(backend));
      const How how{.backend = backend, .dtype = Dtype::f32};
      const bool leaky = op->activation().kind == Activation::Kind::leaky_relu;
      const bool capped = op->activation().kind == Activation::Kind::relu6;
      Operands o{.shapes = {{1, 5}}, .inputs = {{-0.0, 0.0, 6.0, nan, -8.0}}, .grad_output = {4, 4, 4, 4, 4}};
      const Result r = call(*op, Direction::forward, how, o);
      const Numbers y = r.value.numbers();
      CHECK(y[1] == 0);
      CHECK(y[2] == 6);
      CHECK(std::isnan(y[3]));
      CHECK(y[4] == (leaky ? -2 : 0));
      o.saved = r.saved;
      const Numbers g = call(*op, Direction::vjp_input, how, o).value.numbers();
      const double flat = leaky ? 1 : 0;
      CHECK(g[0] == flat);
      CHECK(g[1] == flat);
      CHECK(g[2] == (capped ? 0 : 4));
      CHECK(g[4] == flat);
      o.grad_output[2] = o.grad_output[3] = nan;
      if (!leaky) CHECK(std::isnan(call(*op, Direction::vjp_input, how, o).value.numbers()[3]));
    }
}

}  // namespace loupe::test
