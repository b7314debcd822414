// SmoothGrad: the mean gradient of noisy copies of the picture.
#include "engine/methods/smooth_grad.h"
#include "engine/methods/smooth_grad_options.h"

namespace loupe {

extern const Method smooth_grad_method;
const Method smooth_grad_method{
    .name = "smooth_grad",
    .summary = "the mean gradient of noisy copies of the picture",
    .source = "Smilkov et al. 2017, SmoothGrad: removing noise by adding noise",
    .options = smooth_grad_specs(),
    .unsuited = smooth_grad_unsuited,
    .run = [](const Question& q, const Options& o) -> Explanation {
      return {{{"smooth_grad",
                smooth_grad(q.model, q.input, smooth_grad_options(q, o, "smooth_grad")).row(0),
                {.style = Picture::Style::magnitude},
                "Bright where a small change of the pixel changes the score most, on the average of noisy "
                "copies of the picture."}},
              {}};
    }};

}  // namespace loupe
