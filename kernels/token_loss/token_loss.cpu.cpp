// token_loss on the CPU, in plain C++ as cross_entropy is: the C library's exp in float, sums and the logarithm in
// double and in the order of the classes.
#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/token_loss/token_loss.h"

namespace loupe::cpu {

void token_loss(const float* z, const int32_t* t, float* loss, int64_t rows, int64_t classes) {
  parallel_for(rows, [=](int64_t i) {
    const float* zi = z + i * classes;
    const float max = *std::max_element(zi, zi + classes);
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(zi[k] - max);
    loss[i] = static_cast<float>((double{max} - zi[t[i]]) + std::log(sum));
  });
}

void token_loss_vjp(const float* z, const int32_t* t, const float* g, float* gz, int64_t rows,
                    int64_t classes) {
  parallel_for(rows, [=](int64_t i) {
    const float* zi = z + i * classes;
    float* out = gz + i * classes;
    const float max = *std::max_element(zi, zi + classes);
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += out[k] = std::exp(zi[k] - max);
    for (int64_t k = 0; k < classes; ++k)
      out[k] = static_cast<float>(g[i] * (out[k] / sum - (k == t[i] ? 1 : 0)));
  });
}

}  // namespace loupe::cpu
