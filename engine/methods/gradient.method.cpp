// Gradient (saliency): how the class score changes with each input value, to first order.
#include "engine/methods/gradient.h"
#include "engine/run/method.h"

namespace loupe {

Tensor gradient(Network& net, const Tensor& x, const GradientOptions& options) {
  return input_signal(net, x, options.target, gradient_rule(), options.probe);
}

extern const Method gradient_method;
const Method gradient_method{
    .name = "gradient",
    .summary = "how the score changes with each pixel",
    .source = "Simonyan, Vedaldi & Zisserman 2014, Deep inside convolutional networks",
    .options = {},
    .run = [](const Question& q, const Options&) -> Explanation {
      return {{{"gradient",
                gradient(q.model, q.input, {.target = q.target}).row(0),
                {.style = Picture::Style::magnitude},
                "Bright where a small change of the pixel changes the score most, up or down."}},
              {}};
    }};

}  // namespace loupe
