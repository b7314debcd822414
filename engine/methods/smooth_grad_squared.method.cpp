// SmoothGrad²: the mean square of the gradients of noisy copies.
#include "engine/methods/smooth_grad.h"
#include "engine/methods/smooth_grad_options.h"

namespace loupe {

extern const Method smooth_grad_squared_method;
const Method smooth_grad_squared_method{
    .name = "smooth_grad_squared",
    .summary = "the mean square of the gradients of noisy copies of the picture",
    .source = "Hooker et al. 2019, A benchmark for interpretability methods in deep neural networks",
    .options = smooth_grad_specs(),
    .unsuited = smooth_grad_unsuited,
    .run = [](const Question& q, const Options& o) -> Explanation {
      return {
          {{"smooth_grad_squared",
            smooth_grad_squared(q.model, q.input, smooth_grad_options(q, o, "smooth_grad_squared")).row(0),
            {.style = Picture::Style::magnitude},
            "Bright where the score is sensitive to the pixel, up or down, in most noisy copies of the "
            "picture."}},
          {}};
    }};

}  // namespace loupe
