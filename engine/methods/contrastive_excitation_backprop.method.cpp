// What excites the class more than its dual: excitation backpropagation of both, one less the other.
#include "engine/methods/excitation_backprop.h"
#include "engine/run/method.h"

namespace loupe {

extern const Method contrastive_excitation_backprop_method;
const Method contrastive_excitation_backprop_method{
    .name = "contrastive_excitation_backprop",
    .summary = "excitation backprop of the class less that of its dual, which has the negated last weights",
    .source =
        "Zhang, Lin, Brandt, Shen & Sclaroff 2016, Top-down neural attention by excitation backprop, section "
        "3.3",
    .options = {excitation_layer_option()},
    .unsuited = excitation_unsuited,
    .unsuited_target = excitation_unsuited_target,
    .run = [](const Question& q, const Options& o) -> Explanation {
      const ExcitationOptions options{.target = q.target, .layer = o.text("layer"), .contrastive = true};
      return excitation_explanation(q, "contrastive_excitation_backprop", options,
                                    "Warm where the cells are that excited the class more than its dual");
    }};

}  // namespace loupe
