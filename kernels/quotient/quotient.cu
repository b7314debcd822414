// Quotients on a GPU, a thread a few of them. Floor: 12 bytes read and 4 written an element.
#include "kernels/quotient/quotient.h"

#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/vectors.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL quotient_kernel(Vectors elements, float least, const float* a, const float* b, const float* c,
                             float* y) {
  elements.visit([&](int64_t i, auto width) {
    const auto above = load_vector<width()>(a + i), below = load_vector<width()>(b + i);
    auto cells = load_vector<width()>(c + i);
    for (int k = 0; k < width(); ++k)
      if (!(magnitude(below[k]) < least)) cells[k] = above[k] / below[k];
    store_vector(y + i, cells);
  });
}

LOUPE_KERNEL quotient_vjp_kernel(Vectors elements, int operand, float least, const float* g, const float* a,
                                 const float* b, float* to) {
  elements.visit([&](int64_t i, auto width) {
    auto cells = load_vector<width()>(g + i);
    const auto below = load_vector<width()>(b + i);
    for (int k = 0; k < width(); ++k) {
      const bool small = magnitude(below[k]) < least;
      if (small != (operand == 2))
        cells[k] = 0;
      else if (operand == 0)
        cells[k] = cells[k] / below[k];
      else if (operand == 1)
        cells[k] = -cells[k] * (a[i + k] / below[k] / below[k]);
    }
    store_vector(to + i, cells);
  });
}

}  // namespace

void quotient(Stream stream, float least, const float* a, const float* b, const float* c, float* y,
              int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), quotient_kernel, elements, least, a, b, c, y);
}

void quotient_vjp(Stream stream, int operand, float least, const float* g, const float* a, const float* b,
                  float* to, int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), quotient_vjp_kernel, elements, operand, least, g, a, b, to);
}

LOUPE_EXPORT(quotient);
LOUPE_EXPORT(quotient_vjp);

}  // namespace loupe::LOUPE_TARGET
