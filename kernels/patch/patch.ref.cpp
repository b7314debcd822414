#include "kernels/patch/patch.h"

namespace loupe::ref {

template <typename T>
void patch(const PatchSizes& s, const T* windows, const T* base, const int32_t* places, T outside, T* y) {
  for (int64_t n = 0; n < s.n; ++n) {
    const int32_t* at = places + (n * s.rows + s.row) * 4;
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t i = 0; i < s.patch_h; ++i)
        for (int64_t j = 0; j < s.patch_w; ++j, ++y) {
          const int64_t r = at[2] + i, q = at[3] + j, wr = r - at[0], wq = q - at[1];
          if (r < 0 || r >= s.map_h || q < 0 || q >= s.map_w)
            *y = outside;
          else if (wr >= 0 && wr < s.window_h && wq >= 0 && wq < s.window_w)
            *y = windows[((n * s.c + c) * s.window_h + wr) * s.window_w + wq];
          else
            *y = base[(c * s.map_h + r) * s.map_w + q];
        }
  }
}

template <typename T>
void patch_vjp(const PatchSizes& s, const T* gy, const int32_t* places, T* g) {
  for (int64_t n = 0; n < s.n; ++n) {
    const int32_t* at = places + (n * s.rows + s.row) * 4;
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t wr = 0; wr < s.window_h; ++wr)
        for (int64_t wq = 0; wq < s.window_w; ++wq, ++g) {
          const int64_t r = at[0] + wr, q = at[1] + wq, i = r - at[2], j = q - at[3];
          const bool in_maps = r >= 0 && r < s.map_h && q >= 0 && q < s.map_w;
          const bool in_patch = i >= 0 && i < s.patch_h && j >= 0 && j < s.patch_w;
          *g = in_maps && in_patch ? gy[((n * s.c + c) * s.patch_h + i) * s.patch_w + j] : T{0};
        }
  }
}

template void patch_vjp(const PatchSizes&, const float*, const int32_t*, float*);
template void patch_vjp(const PatchSizes&, const double*, const int32_t*, double*);
template void patch(const PatchSizes&, const float*, const float*, const int32_t*, float, float*);
template void patch(const PatchSizes&, const double*, const double*, const int32_t*, double, double*);

}  // namespace loupe::ref
