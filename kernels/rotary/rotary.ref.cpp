// The host's kernel: a task turns one row, whose heads share its sines and cosines.
#include <cmath>
#include <vector>

#include "kernels/common/parallel.h"
#include "kernels/rotary/rotary.h"

namespace loupe::host {

template <typename T>
void rotary(const RotarySizes& s, bool back, const T* x, T* y) {
  std::vector<double> angles(static_cast<size_t>(s.pairs()));  // of position 1
  for (int64_t i = 0; i < s.pairs(); ++i)
    angles[static_cast<size_t>(i)] =
        std::pow(s.base, -2.0 * static_cast<double>(i) / static_cast<double>(s.turned));
  parallel_for(s.rows, [&](int64_t row) {
    const auto position = static_cast<double>(s.offset + row % s.length);
    const int64_t begin = row * s.heads * s.width;
    for (int64_t i = 0; i < s.pairs(); ++i) {
      const double angle = position * angles[static_cast<size_t>(i)];
      const T c = static_cast<T>(std::cos(angle)), sine = static_cast<T>(std::sin(angle));
      const T t = back ? -sine : sine;
      for (int64_t h = 0; h < s.heads; ++h) {
        const int64_t at = begin + h * s.width + s.first(i);
        const T a = x[at], b = x[at + s.step()];
        y[at] = a * c - b * t;
        y[at + s.step()] = a * t + b * c;
      }
    }
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t k = s.turned; k < s.width; ++k) y[begin + h * s.width + k] = x[begin + h * s.width + k];
  });
}

template void rotary(const RotarySizes&, bool, const float*, float*);
template void rotary(const RotarySizes&, bool, const double*, double*);

}  // namespace loupe::host
