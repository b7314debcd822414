// Convolution as in the textbook. A task makes one row of up to four maps of the result: it starts from the
// bias and adds one weight times one row of the other array after another. The innermost loop runs along a
// row, so the compiler vectorises it, and what it reads serves all four maps.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d.h"

namespace loupe::ref {
namespace {

constexpr int64_t kMaps = 4;

template <typename T>
void add_to_four(int64_t count, const T (&a)[kMaps], const T* __restrict x, T* __restrict y0,
                 T* __restrict y1, T* __restrict y2, T* __restrict y3) {
  for (int64_t i = 0; i < count; ++i) {
    y0[i] += a[0] * x[i];
    y1[i] += a[1] * x[i];
    y2[i] += a[2] * x[i];
    y3[i] += a[3] * x[i];
  }
}

// For the maps m: y[m·y_map + i·y_step] += a[m·a_map] · x[i·x_step]
template <typename T>
void add_scaled(int64_t maps, int64_t count, const T* a, int64_t a_map, const T* x, int64_t x_step, T* y,
                int64_t y_map, int64_t y_step) {
  if (maps == kMaps && x_step == 1 && y_step == 1) {
    const T weights[kMaps] = {a[0], a[a_map], a[2 * a_map], a[3 * a_map]};
    return add_to_four(count, weights, x, y, y + y_map, y + 2 * y_map, y + 3 * y_map);
  }
  for (int64_t m = 0; m < maps; ++m) {
    const T weight = a[m * a_map];
    for (int64_t i = 0; i < count; ++i) y[m * y_map + i * y_step] += weight * x[i * x_step];
  }
}

// For each kernel column q, the outputs of a row that see a cell inside the map.
std::vector<Range> column_ranges(const ConvSizes& s) {
  std::vector<Range> columns;
  for (int64_t q = 0; q < s.kernel.w; ++q)
    columns.push_back(outputs_inside(q * s.dilation.w - s.padding.w, s.stride.w, s.w, s.ow));
  return columns;
}

}  // namespace

template <typename T>
void conv2d_forward(const ConvSizes& s, const T* x, const T* weight, const T* bias, T* y) {
  const std::vector<Range> columns = column_ranges(s);
  const int64_t tiles = ceil_div(s.group_k(), kMaps), w_map = s.group_c() * s.kernel.h * s.kernel.w;
  parallel_for(s.n * s.groups * tiles * s.oh, [&](int64_t task) {
    const int64_t oh = task % s.oh, tile = task / s.oh % tiles;
    const int64_t g = task / (s.oh * tiles) % s.groups, n = task / (s.oh * tiles * s.groups);
    const int64_t k = g * s.group_k() + tile * kMaps, maps = std::min(kMaps, (g + 1) * s.group_k() - k);
    T* y_row = y + ((n * s.k + k) * s.oh + oh) * s.ow;
    for (int64_t m = 0; m < maps; ++m) std::fill_n(y_row + m * s.oh * s.ow, s.ow, bias ? bias[k + m] : T(0));
    for (int64_t c = 0; c < s.group_c(); ++c)
      for (int64_t r = 0; r < s.kernel.h; ++r) {
        const int64_t ih = oh * s.stride.h - s.padding.h + r * s.dilation.h;
        if (ih < 0 || ih >= s.h) continue;
        const T* x_row = x + ((n * s.c + g * s.group_c() + c) * s.h + ih) * s.w;
        const T* w_row = weight + ((k * s.group_c() + c) * s.kernel.h + r) * s.kernel.w;
        for (int64_t q = 0; q < s.kernel.w; ++q) {
          const auto [begin, end] = columns[static_cast<size_t>(q)];
          const int64_t iw = begin * s.stride.w - s.padding.w + q * s.dilation.w;
          add_scaled(maps, end - begin, w_row + q, w_map, x_row + iw, s.stride.w, y_row + begin, s.oh * s.ow,
                     1);
        }
      }
  });
}

template <typename T>
void conv2d_vjp_input(const ConvSizes& s, const T* gy, const T* weight, const T* bias, T* gx) {
  const std::vector<Range> columns = column_ranges(s);
  const int64_t tiles = ceil_div(s.group_c(), kMaps), w_map = s.kernel.h * s.kernel.w;
  parallel_for(s.n * s.groups * tiles * s.h, [&](int64_t task) {
    const int64_t ih = task % s.h, tile = task / s.h % tiles;
    const int64_t g = task / (s.h * tiles) % s.groups, n = task / (s.h * tiles * s.groups);
    const int64_t c = tile * kMaps, maps = std::min(kMaps, s.group_c() - c);  // within the group
    T* gx_row = gx + ((n * s.c + g * s.group_c() + c) * s.h + ih) * s.w;
    for (int64_t m = 0; m < maps; ++m)
      std::fill_n(gx_row + m * s.h * s.w, s.w, bias ? bias[g * s.group_c() + c + m] : T(0));
    for (int64_t r = 0; r < s.kernel.h; ++r) {
      // Which output row looked at this input row through kernel row r?
      const int64_t position = ih + s.padding.h - r * s.dilation.h, oh = position / s.stride.h;
      if (position < 0 || position % s.stride.h != 0 || oh >= s.oh) continue;
      for (int64_t k = g * s.group_k(); k < (g + 1) * s.group_k(); ++k) {
        const T* gy_row = gy + ((n * s.k + k) * s.oh + oh) * s.ow;
        const T* w_row = weight + ((k * s.group_c() + c) * s.kernel.h + r) * s.kernel.w;
        for (int64_t q = 0; q < s.kernel.w; ++q) {
          const auto [begin, end] = columns[static_cast<size_t>(q)];
          const int64_t iw = begin * s.stride.w - s.padding.w + q * s.dilation.w;
          add_scaled(maps, end - begin, w_row + q, w_map, gy_row + begin, 1, gx_row + iw, s.h * s.w,
                     s.stride.w);
        }
      }
    }
  });
}

template <typename T>
void conv2d_vjp_weight(const ConvSizes& s, const T* x, const T* gy, T* gw) {
  const std::vector<Range> columns = column_ranges(s);
  parallel_for(s.k * s.group_c(), [&](int64_t i) {
    const int64_t k = i / s.group_c(), c = k / s.group_k() * s.group_c() + i % s.group_c();
    for (int64_t r = 0; r < s.kernel.h; ++r)
      for (int64_t q = 0; q < s.kernel.w; ++q) {
        const Range rows = outputs_inside(r * s.dilation.h - s.padding.h, s.stride.h, s.h, s.oh);
        const auto [begin, end] = columns[static_cast<size_t>(q)];
        T sum = 0;
        for (int64_t n = 0; n < s.n; ++n)
          for (int64_t oh = rows.begin; oh < rows.end; ++oh) {
            const int64_t ih = oh * s.stride.h - s.padding.h + r * s.dilation.h;
            const T* gy_row = gy + ((n * s.k + k) * s.oh + oh) * s.ow;
            const T* x_row = x + ((n * s.c + c) * s.h + ih) * s.w;
            for (int64_t ow = begin; ow < end; ++ow)
              sum += gy_row[ow] * x_row[ow * s.stride.w - s.padding.w + q * s.dilation.w];
          }
        gw[(i * s.kernel.h + r) * s.kernel.w + q] = sum;
      }
  });
}

template <typename T>
void conv2d_vjp_bias(int64_t n, int64_t k, int64_t pixels, const T* gy, T* gb) {
  parallel_for(k, [=](int64_t channel) {
    T sum = 0;
    for (int64_t image = 0; image < n; ++image)
      for (int64_t i = 0; i < pixels; ++i) sum += gy[(image * k + channel) * pixels + i];
    gb[channel] = sum;
  });
}

template void conv2d_forward(const ConvSizes&, const float*, const float*, const float*, float*);
template void conv2d_forward(const ConvSizes&, const double*, const double*, const double*, double*);
template void conv2d_vjp_input(const ConvSizes&, const float*, const float*, const float*, float*);
template void conv2d_vjp_input(const ConvSizes&, const double*, const double*, const double*, double*);
template void conv2d_vjp_weight(const ConvSizes&, const float*, const float*, float*);
template void conv2d_vjp_weight(const ConvSizes&, const double*, const double*, double*);
template void conv2d_vjp_bias(int64_t, int64_t, int64_t, const float*, float*);
template void conv2d_vjp_bias(int64_t, int64_t, int64_t, const double*, double*);

}  // namespace loupe::ref
