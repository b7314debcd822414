// VarGrad: the variance of the gradients of noisy copies.
#include "engine/methods/smooth_grad.h"
#include "engine/methods/smooth_grad_options.h"

namespace loupe {

extern const Method var_grad_method;
const Method var_grad_method{
    .name = "var_grad",
    .summary = "the variance of the gradients of noisy copies of the picture",
    .source = "Adebayo et al. 2018, Sanity checks for saliency maps",
    .options = smooth_grad_specs(),
    .unsuited = smooth_grad_unsuited,
    .run = [](const Question& q, const Options& o) -> Explanation {
      return {{{"var_grad",
                var_grad(q.model, q.input, smooth_grad_options(q, o, "var_grad")).row(0),
                {.style = Picture::Style::magnitude},
                "Bright where the gradient changes most when noise is added to the picture."}},
              {}};
    }};

}  // namespace loupe
