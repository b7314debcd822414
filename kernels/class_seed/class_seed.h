// Which class a pass explains, and the seed of its way back, where the scores are: on a device no score has to
// come down to the host between the two halves of a pass.
//
//   class_n   = wanted_n, or where that is negative the class of the highest score, the first of equals. NaN is
//               higher than nothing and lower than nothing: it is chosen as class 0 alone.
//   seed_n,c  = 1 for c = class_n, else 0
//
// scores and seed (n, classes), planar.
#pragma once
#include "kernels/common/array.h"
#include "kernels/common/device.h"

namespace loupe {

/// The class of one row of scores.
template <typename T>
int64_t class_of(const T* scores, int64_t classes, int32_t wanted) {
  if (wanted >= 0) return wanted;
  int64_t best = 0;
  for (int64_t c = 1; c < classes; ++c)
    if (scores[c] > scores[best]) best = c;
  return best;
}

namespace ref {
template <typename T>
void class_seed(int64_t n, int64_t classes, const T* scores, const int32_t* wanted, T* seed) {
  for (int64_t row = 0; row < n; ++row) {
    const int64_t chosen = class_of(scores + row * classes, classes, wanted[row]);
    for (int64_t c = 0; c < classes; ++c) seed[row * classes + c] = c == chosen ? T(1) : T(0);
  }
}
}  // namespace ref

namespace device {  // class_seed.cu
inline constexpr DeviceFunction<void(int64_t n, int64_t classes, const float* scores, const int32_t* wanted,
                                     float* seed)>
    class_seed{"class_seed"};
}

}  // namespace loupe
