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

}  // namespace

void quotient(Stream stream, float least, const float* a, const float* b, const float* c, float* y,
              int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), quotient_kernel, elements, least, a, b, c, y);
}

LOUPE_EXPORT(quotient);

}  // namespace loupe::LOUPE_TARGET
