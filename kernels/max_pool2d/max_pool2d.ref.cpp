#include <cmath>
#include <limits>

#include "kernels/common/parallel.h"
#include "kernels/max_pool2d/max_pool2d.h"

namespace loupe::ref {

template <typename T>
void max_pool2d(const Pooling& p, Pair map, Pair pooled, const T* x, T* y, uint8_t* switches,
                int64_t planes) {
  parallel_for(planes, [=](int64_t plane) {
    const T* in = x + plane * map.h * map.w;
    for (int64_t i = 0; i < pooled.h; ++i)
      for (int64_t j = 0; j < pooled.w; ++j) {
        T best = -std::numeric_limits<T>::infinity();
        int64_t where = -1;
        for (int64_t r = 0; r < p.kernel.h; ++r)
          for (int64_t s = 0; s < p.kernel.w; ++s) {
            const int64_t h = i * p.stride.h - p.padding.h + r * p.dilation.h;
            const int64_t w = j * p.stride.w - p.padding.w + s * p.dilation.w;
            if (h < 0 || h >= map.h || w < 0 || w >= map.w) continue;
            const T v = in[h * map.w + w];
            const bool larger = v > best || (std::isnan(v) && !std::isnan(best));
            if (where >= 0 && !larger) continue;
            best = v;
            where = r * p.kernel.w + s;
          }
        const int64_t out = (plane * pooled.h + i) * pooled.w + j;
        y[out] = best;
        if (switches) switches[out] = static_cast<uint8_t>(where < 0 ? 0 : where);
      }
  });
}

template void max_pool2d(const Pooling&, Pair, Pair, const float*, float*, uint8_t*, int64_t);
template void max_pool2d(const Pooling&, Pair, Pair, const double*, double*, uint8_t*, int64_t);

}  // namespace loupe::ref
