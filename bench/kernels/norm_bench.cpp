// Norms, softmax and reductions on the cpu backend, in the shapes of well-known networks, one image. They
// move bytes: what counts is `of_floor` (support/call.h), where an array that fits the caches can be more
// than 1.
//
//   build/release/bin/norm_bench
#include "bench/kernels/support/call.h"
#include "kernels/group_norm/group_norm.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/reduce/reduce.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/softmax/softmax.h"

namespace loupe {

void register_benches() {
  const std::vector<Direction> forward_and_input{Direction::forward, Direction::vjp_input};
  const std::vector<Direction> all{Direction::forward, Direction::vjp_input, Direction::vjp_weight,
                                   Direction::vjp_bias};
  add_benches("vit_b_16/ln_1", layer_norm({.eps = 1e-6}), {{1, 197, 768}}, all);
  add_benches("convnext_tiny/features.1, last axis", layer_norm({.eps = 1e-6}), {{1, 56, 56, 96}}, all);
  add_benches("convnext_tiny/features.0.1, channels", layer_norm({.channels = true, .eps = 1e-6}),
              {{1, 96, 56, 56}}, all);
  add_benches("tokens of vit_b_16, rms_norm", rms_norm(), {{1, 197, 768}}, forward_and_input);
  add_benches("resnet50, first block, group_norm", group_norm({.groups = 32}), {{1, 64, 112, 112}}, all);
  add_benches("vit_b_16, keys of 12 heads, softmax", softmax(-1), {{1, 12, 197, 197}}, forward_and_input);
  add_benches("vit_b_16, mean of the tokens", reduce({.kind = Reduce::Kind::mean, .axes = {1}}),
              {{1, 197, 768}}, forward_and_input);
  add_benches("resnet50, first block, max of maps", reduce({.kind = Reduce::Kind::max, .axes = {2, 3}}),
              {{1, 64, 112, 112}}, forward_and_input);
}

}  // namespace loupe
