#include "engine/methods/excitation_backprop.h"
#include "engine/run/method.h"

namespace loupe {

extern const Method excitation_backprop_method;
const Method excitation_backprop_method{
    .name = "excitation_backprop",
    .summary = "a winner drawn from layer to layer, each in proportion to how it excited the one above",
    .source = "Zhang, Lin, Brandt, Shen & Sclaroff 2016, Top-down neural attention by excitation backprop",
    .options = {excitation_layer_option()},
    .unsuited = excitation_unsuited,
    .unsuited_target = excitation_unsuited_target,
    .run = [](const Question& q, const Options& o) -> Explanation {
      const ExcitationOptions options{.target = q.target, .layer = o.text("layer")};
      return excitation_explanation(q, "excitation_backprop", options,
                                    "Warm where the cells are that excited the class");
    }};

}  // namespace loupe
