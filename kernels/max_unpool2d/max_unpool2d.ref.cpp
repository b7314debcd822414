#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/max_unpool2d/max_unpool2d.h"

namespace loupe::ref {

namespace {

// Calls body(pooled index, map index) for every window of a plane whose switch names a place on the map.
template <typename Body>
void for_each_switch(const Pooling& p, Pair map, Pair pooled, const uint8_t* switches, const Body& body) {
  for (int64_t i = 0; i < pooled.h; ++i)
    for (int64_t j = 0; j < pooled.w; ++j) {
      const int64_t out = i * pooled.w + j, r = switches[out] / p.kernel.w, s = switches[out] % p.kernel.w;
      const int64_t h = i * p.stride.h - p.padding.h + r * p.dilation.h;
      const int64_t w = j * p.stride.w - p.padding.w + s * p.dilation.w;
      if (r < p.kernel.h && h >= 0 && h < map.h && w >= 0 && w < map.w) body(out, h * map.w + w);
    }
}

}  // namespace

template <typename T>
void max_unpool2d(const Pooling& p, Pair map, Pair pooled, const T* x, const uint8_t* switches, T* y,
                  int64_t planes) {
  const int64_t small = pooled.h * pooled.w, large = map.h * map.w;
  parallel_for(planes, [=](int64_t plane) {
    T* to = y + plane * large;
    std::fill(to, to + large, T(0));
    for_each_switch(p, map, pooled, switches + plane * small,
                    [&](int64_t i, int64_t place) { to[place] += x[plane * small + i]; });
  });
}

template <typename T>
void max_unpool2d_vjp(const Pooling& p, Pair map, Pair pooled, const T* gy, const uint8_t* switches, T* gx,
                      int64_t planes) {
  const int64_t small = pooled.h * pooled.w, large = map.h * map.w;
  parallel_for(planes, [=](int64_t plane) {
    T* to = gx + plane * small;
    std::fill(to, to + small, T(0));
    for_each_switch(p, map, pooled, switches + plane * small,
                    [&](int64_t i, int64_t place) { to[i] = gy[plane * large + place]; });
  });
}

template void max_unpool2d(const Pooling&, Pair, Pair, const float*, const uint8_t*, float*, int64_t);
template void max_unpool2d(const Pooling&, Pair, Pair, const double*, const uint8_t*, double*, int64_t);
template void max_unpool2d_vjp(const Pooling&, Pair, Pair, const float*, const uint8_t*, float*, int64_t);
template void max_unpool2d_vjp(const Pooling&, Pair, Pair, const double*, const uint8_t*, double*, int64_t);

}  // namespace loupe::ref
