// The shares of a max pool's chords, on the host; the rest is max_pool2d's and max_unpool2d's work. Few windows change
// their place: most take one comparison of bytes.
#include "kernels/secant_max_pool2d/secant_max_pool2d.h"
#include "kernels/common/parallel.h"

namespace loupe::host {

namespace {
// Cell `position` of window (i, j), in numbers from the beginning of a map.
int64_t cell_of(const Pooling& p, Pair map, int64_t lanes, int64_t i, int64_t j, int64_t position) {
  const int64_t h = i * p.stride.h - p.padding.h + position / p.kernel.w * p.dilation.h,
                w = j * p.stride.w - p.padding.w + position % p.kernel.w * p.dilation.w;
  return (h * map.w + w) * lanes;
}
}  // namespace

template <typename T>
void chord_shares(const Pooling& p, Pair map, Pair pooled, int64_t lanes, const T* s, const T* x,
                  const T* x_next, const uint8_t* switches, const uint8_t* switches_next, T* own, T* other,
                  int64_t planes) {
  parallel_for(planes * pooled.h, [=](int64_t task) {
    const int64_t plane = task / pooled.h, i = task % pooled.h;
    const T *from = x + plane * map.h * map.w * lanes, *to = x_next + plane * map.h * map.w * lanes;
    for (int64_t j = 0; j < pooled.w; ++j)
      for (int64_t lane = 0; lane < lanes; ++lane) {
        const int64_t at = (task * pooled.w + j) * lanes + lane;
        own[at] = s[at];
        other[at] = 0;
        if (switches[at] == switches_next[at]) continue;
        const int64_t a = cell_of(p, map, lanes, i, j, switches[at]) + lane,
                      b = cell_of(p, map, lanes, i, j, switches_next[at]) + lane;
        const T before = from[a] - from[b], after = to[b] - to[a];
        if (!(before + after > 0)) continue;
        own[at] = s[at] * (before / (before + after));
        other[at] = s[at] * (after / (before + after));
      }
  });
}

template <typename T>
void add_shares(const Pooling& p, Pair map, Pair pooled, int64_t lanes, const T* other,
                const uint8_t* switches, T* to, int64_t planes) {
  parallel_for(planes, [=](int64_t plane) {  // windows of a map may share a place
    T* plane_to = to + plane * map.h * map.w * lanes;
    for (int64_t i = 0; i < pooled.h; ++i)
      for (int64_t j = 0; j < pooled.w; ++j)
        for (int64_t lane = 0; lane < lanes; ++lane) {
          const int64_t at = ((plane * pooled.h + i) * pooled.w + j) * lanes + lane;
          if (other[at] != 0) plane_to[cell_of(p, map, lanes, i, j, switches[at]) + lane] += other[at];
        }
  });
}

#define LOUPE_SHARES(T)                                                                         \
  template void chord_shares(const Pooling&, Pair, Pair, int64_t, const T*, const T*, const T*, \
                             const uint8_t*, const uint8_t*, T*, T*, int64_t);                  \
  template void add_shares(const Pooling&, Pair, Pair, int64_t, const T*, const uint8_t*, T*, int64_t);
LOUPE_SHARES(float)
LOUPE_SHARES(double)
#undef LOUPE_SHARES

}  // namespace loupe::host
