// Rotations on a GPU: a thread has a pair of one row in every head, so that its sine and cosine are computed once.
//
// Floor: 4 bytes read and 4 written an element.
#include "kernels/rotary/rotary.h"

#include <cmath>

#include "kernels/device/cells.h"
#include "kernels/device/export.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL rotary_kernel(Cells pairs, RotarySizes s, bool back, const float* x, float* y) {
  int64_t row;
  int pair;
  if (!pairs.find(row, pair)) return;
  const double angle = static_cast<double>(s.offset + row % s.length) *
                       pow(s.base, -2.0 * pair / static_cast<double>(s.turned));
  const auto c = static_cast<float>(cos(angle)), sine = static_cast<float>(sin(angle));
  const float t = back ? -sine : sine;
  for (int64_t h = 0; h < s.heads; ++h) {
    const int64_t head = (row * s.heads + h) * s.width, at = head + s.first(pair);
    const float a = x[at], b = x[at + s.step()];
    y[at] = a * c - b * t;
    y[at + s.step()] = a * t + b * c;
    for (int64_t k = s.turned + pair; k < s.width; k += s.pairs()) y[head + k] = x[head + k];
  }
}

}  // namespace

void rotary(Stream stream, const RotarySizes& s, bool back, const float* x, float* y) {
  const Cells pairs(s.rows, s.pairs());
  launch(pairs.launch_in(stream), rotary_kernel, pairs, s, back, x, y);
}

LOUPE_EXPORT(rotary);

}  // namespace loupe::LOUPE_TARGET
