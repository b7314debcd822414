// Quotients on a GPU, a thread a few cells. Floor: 8 bytes read and 4 written an element.
#include "kernels/stable_div/stable_div.h"

#include "kernels/device/export.h"
#include "kernels/device/vectors.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_DEVICE float away(float b, float epsilon) { return b < 0.0f ? b - epsilon : b + epsilon; }

LOUPE_KERNEL stable_div_kernel(Vectors elements, float epsilon, const float* a, const float* b, float* y) {
  elements.visit([&](int64_t i, auto width) {
    auto cells = load_vector<width()>(a + i);
    const auto divisors = load_vector<width()>(b + i);
    for (int k = 0; k < width(); ++k) {
      const float divisor = away(divisors[k], epsilon);
      cells[k] = divisor == 0.0f ? 0.0f : cells[k] / divisor;
    }
    store_vector(y + i, cells);
  });
}

LOUPE_KERNEL stable_div_vjp_divisor_kernel(Vectors elements, float epsilon, const float* g, const float* a,
                                           const float* b, float* gb) {
  elements.visit([&](int64_t i, auto width) {
    auto cells = load_vector<width()>(g + i);
    const auto dividends = load_vector<width()>(a + i);
    const auto divisors = load_vector<width()>(b + i);
    for (int k = 0; k < width(); ++k) {
      const float divisor = away(divisors[k], epsilon);
      cells[k] = divisor == 0.0f ? 0.0f : 0.0f - cells[k] * (dividends[k] / divisor / divisor);
    }
    store_vector(gb + i, cells);
  });
}

}  // namespace

void stable_div(Stream stream, float epsilon, const float* a, const float* b, float* y, int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), stable_div_kernel, elements, epsilon, a, b, y);
}

void stable_div_vjp_divisor(Stream stream, float epsilon, const float* g, const float* a, const float* b,
                            float* gb, int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), stable_div_vjp_divisor_kernel, elements, epsilon, g, a, b, gb);
}

LOUPE_EXPORT(stable_div);
LOUPE_EXPORT(stable_div_vjp_divisor);

}  // namespace loupe::LOUPE_TARGET
