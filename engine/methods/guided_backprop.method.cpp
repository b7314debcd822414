// Guided backpropagation: the gradient along paths on which every ReLU was active and every signal is
// positive.
#include "engine/methods/guided_backprop.h"
#include "engine/run/method.h"

namespace loupe {

Tensor guided_backprop(Network& net, const Tensor& x, const GradientOptions& options) {
  return input_signal(net, x, options.target, guided_backprop_rule(), options.probe);
}

extern const Method guided_backprop_method;
const Method guided_backprop_method{
    .name = "guided_backprop",
    .summary =
        "the gradient with ReLUs that also stop negative signals: a crisp picture of what excites the class",
    .source =
        "Springenberg, Dosovitskiy, Brox & Riedmiller 2015, Striving for simplicity: the all convolutional "
        "net",
    .options = {},
    .run = [](const Question& q, const Options&) -> Explanation {
      return {
          {{"guided_backprop",
            guided_backprop(q.model, q.input, {.target = q.target}).row(0),
            {.style = Picture::Style::reconstruction},
            "The patterns of the photo that excite the class; signals against it were dropped on the way."}},
          {}};
    }};

}  // namespace loupe
