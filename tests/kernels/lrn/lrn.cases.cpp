#include "kernels/lrn/lrn.h"

#include <cmath>
#include <limits>

#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

OpCase norm(std::string name, Lrn attributes, Shape input) {
  return {
      std::move(name), lrn(attributes), {input}, {Draw::distinct}};  // none is 0: magnitude() divides by them
}

Rejection refuse(std::string name, Lrn attributes, Shape input, std::string message) {
  return {std::move(name), [=] { infer(lrn(attributes), {input}); }, std::move(message)};
}

// The vjp is a difference A − B of two terms that may cancel, so the magnitude behind it is A + |B|. With
// everything positive the op itself gives A − B, and A = gy·y/x: A + B = 2·A − (A − B).
Numbers magnitude(const OpCase& c, Direction direction, const Operands& o) {
  if (direction == Direction::forward) return {};
  Operands positive = o;
  for (double& x : positive.inputs[0]) x = std::fabs(x);
  for (double& g : positive.grad_output) g = std::fabs(g);
  const Numbers y = call(*c.op, Direction::forward, {}, positive).value.numbers();
  Numbers m = call(*c.op, Direction::vjp_input, {}, positive).value.numbers();
  for (size_t i = 0; i < m.size(); ++i)
    m[i] = 2 * positive.grad_output[i] * y[i] / positive.inputs[0][i] - m[i];
  return m;
}

}  // namespace

extern const OpSuite lrn_suite{
    .cases =
        {
            norm("AlexNet's", {.size = 5}, {1, 17, 5, 4}),
            norm("strong", {.size = 5, .alpha = 0.5}, {3, 40, 3, 3}),
            norm("as wide as a slice reaches", {.size = 33, .alpha = 2}, {3, 40, 1, 13}),
            norm("even size reaches one further down", {.size = 4, .alpha = 0.3, .k = 2}, {1, 16, 4, 5}),
            norm("size 1", {.size = 1, .alpha = 1}, {3, 3, 2, 3}),
            norm("across several blocks", {.size = 35, .alpha = 2}, {1, 40, 2, 3}),
            norm("wider than the channels", {.size = 9, .alpha = 1}, {1, 3, 3, 4}),
            norm("far wider than the channels", {.size = 1'000'000, .alpha = 1e5}, {1, 17, 2, 2}),
            norm("beta 0.5", {.size = 3, .alpha = 0.7, .beta = 0.5}, {1, 17, 3, 3}),
            norm("beta 1.3", {.size = 3, .alpha = 0.7, .beta = 1.3, .k = 0.5}, {3, 16, 3, 3}),
            norm("one channel, 1×1 map", {.size = 5, .alpha = 1}, {1, 1, 1, 1}),
        },
    .rejections =
        {
            refuse("no images", {.size = 5}, {0, 3, 4, 4}, "non-empty"),
            refuse("not maps", {.size = 5}, {1, 3}, "(N, C, H, W)"),
            refuse("size 0", {.size = 0}, {1, 3, 4, 4}, "size must be at least 1"),
            refuse("k 0", {.size = 5, .k = 0}, {1, 3, 4, 4}, "k positive"),
            refuse("negative alpha", {.size = 5, .alpha = -1}, {1, 3, 4, 4}, "alpha 0 or more"),
            refuse("beta not a number", {.size = 5, .beta = std::numeric_limits<double>::quiet_NaN()},
                   {1, 3, 4, 4}, "all finite"),
        },
    // Roundings beside the sums, in units of u: forward, d has 4 (square, alpha/size, k, fma), of which the
    // power makes beta times as many; the power itself is CUDA's powf, within 4 ulps (8 u); quotient and store
    // add 2. Backward it is beta + 1 times as many, and the power and 7 more. 4·2.3 + 8 + 7 < 4 + 2·11.
    .function_ulps = 11,
    .magnitude = magnitude,
};

}  // namespace loupe::test
