// Matrix products and linear layers on the cpu backend, in the shapes of ViT-B/16 and some others (what the
// counters say: support/call.h):
//
//   build/release/bin/matmul_bench
#include "kernels/matmul/matmul.h"

#include "bench/kernels/support/call.h"
#include "kernels/linear/linear.h"

namespace loupe {

void register_benches() {
  const std::vector<Direction> all{Direction::forward, Direction::vjp(0), Direction::vjp(1)};
  add_benches("matmul/1024x1024x1024", matmul(), {{1024, 1024}, {1024, 1024}}, all);
  add_benches("matmul/1024x1024x1024, b transposed", matmul({.transpose_b = true}),
              {{1024, 1024}, {1024, 1024}}, all);
  add_benches("matmul/197x768x768", matmul(), {{197, 768}, {768, 768}}, all);
  add_benches("vit_b_16/scores of 12 heads", matmul({.transpose_b = true}),
              {{1, 12, 197, 64}, {1, 12, 197, 64}}, all);
  add_benches("vit_b_16/values of 12 heads", matmul(), {{1, 12, 197, 197}, {1, 12, 197, 64}}, all);
  add_benches("vit_b_16/projection", linear({.out_features = 768}), {{1, 197, 768}}, all);
  add_benches("vit_b_16/mlp.0", linear({.out_features = 3072}), {{1, 197, 768}}, all);
  add_benches("vit_b_16/mlp.3", linear({.out_features = 768}), {{1, 197, 3072}}, all);
  add_benches("vit_b_16/projection, 8 images", linear({.out_features = 768}), {{8, 197, 768}}, all);
  add_benches("convnext_tiny/block.3", linear({.out_features = 384}), {{1, 56, 56, 96}}, all);
}

}  // namespace loupe
