// Slopes of a ReLU's chords on a GPU, a thread a few of them. Floor: 12 bytes read and 4 written an element.
#include "kernels/secant_relu/secant_relu.h"

#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/vectors.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_DEVICE float slope(float from, float to) {
  if (from > 0 && to > 0) return 1;
  if (!(from > 0) && !(to > 0)) return 0;
  return ((to > 0 ? to : 0) - (from > 0 ? from : 0)) / (to - from);
}

// One number at a time: the next row need not begin at a multiple of four.
LOUPE_KERNEL secant_relu_kernel(Vectors elements, int64_t open, int64_t row, const float* s, const float* x,
                                float* y) {
  elements.visit([&](int64_t first, auto width) {
    for (int64_t i = first; i < first + width(); ++i)
      y[i] = i < open ? s[i] * slope(load_readonly(x + i), load_readonly(x + i + row)) : 0.0f;
  });
}

}  // namespace

void secant_relu(Stream stream, const float* s, const float* x, float* y, int64_t rows, int64_t row) {
  const Vectors elements{rows * row};
  launch(elements.launch_in(stream), secant_relu_kernel, elements, (rows - 1) * row, row, s, x, y);
}

LOUPE_EXPORT(secant_relu);

}  // namespace loupe::LOUPE_TARGET
