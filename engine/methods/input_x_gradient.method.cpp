// Input × gradient: each input value's share of the score, if the network were linear.
#include "engine/methods/input_x_gradient.h"
#include "engine/run/method.h"

namespace loupe {

Tensor input_x_gradient(Network& net, const Tensor& x, const GradientOptions& options) {
  const Tensor map = gradient(net, x, options);
  with_float_type(map.dtype(), [&]<typename T>(T) {
    const Tensor factors = x.to(map.dtype());
    const auto g = map.values<T>(), v = factors.values<T>();
    for (size_t i = 0; i < g.size(); ++i) g[i] *= v[i];
  });
  return map;
}

extern const Method input_x_gradient_method;
const Method input_x_gradient_method{
    .name = "input_x_gradient",
    .summary = "the gradient times the input: each pixel's share if the network were linear",
    .source =
        "Shrikumar et al. 2016, Not just a black box: learning important features through propagating "
        "activation "
        "differences",
    .options = {},
    .run = [](const Question& q, const Options&) -> Explanation {
      return {{{"input_x_gradient",
                input_x_gradient(q.model, q.input, {.target = q.target}).row(0),
                {.style = Picture::Style::contribution},
                "Red pixels speak for the class and blue ones against it, as far as a linear view of the "
                "network goes."}},
              {}};
    }};

}  // namespace loupe
