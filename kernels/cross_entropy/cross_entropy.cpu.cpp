// cross_entropy on the CPU: a batch has some thousand logits, so it is plain C++, as softmax is: the C
// library's exp in float, sums and the logarithm in double and in the order of the classes. A row's classes
// lie side by side, (⌈c/16⌉, 16).
#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace loupe::cpu {

namespace {

// m and S of a row of logits.
struct Exponentials {
  float max;
  double sum = 0;
  Exponentials(const float* z, int64_t c) : max(*std::max_element(z, z + c)) {
    for (int64_t k = 0; k < c; ++k) sum += std::exp(z[k] - max);
  }
};

void clear_padding(float* row, int64_t c) { std::fill(row + c, row + round_up(c, kBlock), 0.0f); }

}  // namespace

void cross_entropy(const float* z, const float* t, float* loss, int64_t n, int64_t c) {
  const int64_t row = round_up(c, kBlock);
  parallel_for(n, [=](int64_t i) {
    const float *zi = z + i * row, *ti = t + i * row;
    const Exponentials e(zi, c);
    double total = 0, distance = 0;
    for (int64_t k = 0; k < c; ++k) {
      total += ti[k];
      distance += ti[k] * (double{e.max} - zi[k]);
    }
    loss[i * kBlock] = static_cast<float>(distance + total * std::log(e.sum));
    clear_padding(loss + i * kBlock, 1);
  });
}

void cross_entropy_vjp_logits(const float* z, const float* t, const float* g, float* gz, int64_t n,
                              int64_t c) {
  const int64_t row = round_up(c, kBlock);
  parallel_for(n, [=](int64_t i) {
    const float *zi = z + i * row, *ti = t + i * row;
    const Exponentials e(zi, c);
    double total = 0;
    for (int64_t k = 0; k < c; ++k) total += ti[k];
    for (int64_t k = 0; k < c; ++k)
      gz[i * row + k] = static_cast<float>(g[i * kBlock] * (total * std::exp(zi[k] - e.max) / e.sum - ti[k]));
    clear_padding(gz + i * row, c);
  });
}

void cross_entropy_vjp_targets(const float* z, const float* g, float* gt, int64_t n, int64_t c) {
  const int64_t row = round_up(c, kBlock);
  parallel_for(n, [=](int64_t i) {
    const float* zi = z + i * row;
    const Exponentials e(zi, c);
    const double log_sum = std::log(e.sum);
    for (int64_t k = 0; k < c; ++k)
      gt[i * row + k] = static_cast<float>(g[i * kBlock] * (double{e.max} - zi[k] + log_sum));
    clear_padding(gt + i * row, c);
  });
}

}  // namespace loupe::cpu
