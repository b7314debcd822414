// Rounding to a grid on the host; the rest is max_pool2d's and max_unpool2d's work.
#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/max_route2d/max_route2d.h"

namespace loupe::host {

template <typename T>
void round_to_grid(int bits, const T* x, T* to, int64_t count) {
  constexpr int64_t kChunk = 1 << 14;
  // Powers of two: the products are exact, but for those that overflow, which are infinite on either side.
  const T fine = std::ldexp(T(1), bits), coarse = std::ldexp(T(1), -bits);
  parallel_for(ceil_div(count, kChunk), [=](int64_t chunk) {
    const int64_t end = std::min(count, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) to[i] = std::nearbyint(x[i] * fine) * coarse;
  });
}

template void round_to_grid(int, const float*, float*, int64_t);
template void round_to_grid(int, const double*, double*, int64_t);

}  // namespace loupe::host
