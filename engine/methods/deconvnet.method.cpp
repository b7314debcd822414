// Deconvnet: the score projected back to pixels through pools by switches, transposed convolutions and
// rectified signals.
#include "engine/methods/deconvnet.h"
#include "engine/run/method.h"

namespace loupe {

Tensor deconvnet(Network& net, const Tensor& x, const GradientOptions& options) {
  return input_signal(net, x, options.target, deconvnet_rule(), options.probe);
}

extern const Method deconvnet_method;
const Method deconvnet_method{
    .name = "deconvnet",
    .summary =
        "the score projected back to pixels: switches unpool, convolutions are transposed, signals rectified",
    .source = "Zeiler & Fergus 2014, Visualizing and understanding convolutional networks",
    .options = {},
    .run = [](const Question& q, const Options&) -> Explanation {
      return {{{"deconvnet",
                deconvnet(q.model, q.input, {.target = q.target}).row(0),
                {.style = Picture::Style::reconstruction},
                "The pattern that the network ran backwards paints for the class, placed by the pools' "
                "switches."}},
              {}};
    }};

}  // namespace loupe
