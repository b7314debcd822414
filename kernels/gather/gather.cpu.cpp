// Rows by their numbers on the CPU. Forward is a memcpy a row. The vjp's tasks are pieces of all rows: each
// goes through the indices in their order and adds its piece, so that no two tasks meet and the order is the
// indices'.
#include <algorithm>
#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/gather/gather.h"

namespace loupe::cpu {

void gather(const GatherSizes& s, const float* x, const int32_t* indices, float* y) {
  constexpr int64_t kPicks = 64;  // of a task
  const int64_t parts = ceil_div(s.picks, kPicks);
  parallel_for(s.outer * parts, [=](int64_t task) {
    const int64_t o = task / parts, begin = task % parts * kPicks, end = std::min(s.picks, begin + kPicks);
    for (int64_t k = begin; k < end; ++k)
      std::memcpy(y + (o * s.picks + k) * s.inner, x + (o * s.count + indices[k]) * s.inner,
                  static_cast<size_t>(s.inner) * sizeof(float));
  });
}

void gather_vjp(const GatherSizes& s, const float* gy, const int32_t* indices, float* gx) {
  constexpr int64_t kPiece = 64;  // floats of a row
  const int64_t pieces = ceil_div(s.inner, kPiece);
  parallel_for(s.outer * pieces, [=](int64_t task) {
    const int64_t o = task / pieces, begin = task % pieces * kPiece,
                  length = std::min(kPiece, s.inner - begin);
    float* to = gx + o * s.count * s.inner + begin;
    const float* from = gy + o * s.picks * s.inner + begin;
    for (int64_t row = 0; row < s.count; ++row) std::fill_n(to + row * s.inner, length, 0.0f);
    for (int64_t k = 0; k < s.picks; ++k)
      for (int64_t i = 0; i < length; ++i) to[indices[k] * s.inner + i] += from[k * s.inner + i];
  });
}

}  // namespace loupe::cpu
