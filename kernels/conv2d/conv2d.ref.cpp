// Convolution as in the textbook. Each task makes one row of the result: it starts from the bias and adds one
// weight times one row of the other map after another, so the innermost loop runs along a row and the
// compiler vectorises it.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d.h"

namespace loupe::ref {
namespace {

// y[i·y_step] += a · x[i·x_step]
template <typename T>
void add_scaled(int64_t count, T a, const T* __restrict x, int64_t x_step, T* __restrict y, int64_t y_step) {
  if (x_step == 1 && y_step == 1) {
    for (int64_t i = 0; i < count; ++i) y[i] += a * x[i];
  } else {
    for (int64_t i = 0; i < count; ++i) y[i * y_step] += a * x[i * x_step];
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
  parallel_for(s.n * s.k * s.oh, [&](int64_t row) {
    const int64_t oh = row % s.oh, k = row / s.oh % s.k, n = row / (s.oh * s.k);
    const int64_t first_c = k / s.group_k() * s.group_c();
    T* y_row = y + row * s.ow;
    std::fill_n(y_row, s.ow, bias ? bias[k] : T(0));
    for (int64_t c = 0; c < s.group_c(); ++c)
      for (int64_t r = 0; r < s.kernel.h; ++r) {
        const int64_t ih = oh * s.stride.h - s.padding.h + r * s.dilation.h;
        if (ih < 0 || ih >= s.h) continue;
        const T* x_row = x + ((n * s.c + first_c + c) * s.h + ih) * s.w;
        const T* w_row = weight + ((k * s.group_c() + c) * s.kernel.h + r) * s.kernel.w;
        for (int64_t q = 0; q < s.kernel.w; ++q) {
          const auto [begin, end] = columns[static_cast<size_t>(q)];
          const int64_t iw = begin * s.stride.w - s.padding.w + q * s.dilation.w;
          add_scaled(end - begin, w_row[q], x_row + iw, s.stride.w, y_row + begin, 1);
        }
      }
  });
}

template <typename T>
void conv2d_vjp_input(const ConvSizes& s, const T* gy, const T* weight, const T* bias, T* gx) {
  const std::vector<Range> columns = column_ranges(s);
  parallel_for(s.n * s.c * s.h, [&](int64_t row) {
    const int64_t ih = row % s.h, c = row / s.h % s.c, n = row / (s.h * s.c);
    const int64_t first_k = c / s.group_c() * s.group_k(), c_in_group = c % s.group_c();
    T* gx_row = gx + row * s.w;
    std::fill_n(gx_row, s.w, bias ? bias[c] : T(0));
    for (int64_t r = 0; r < s.kernel.h; ++r) {
      // Which output row looked at this input row through kernel row r?
      const int64_t position = ih + s.padding.h - r * s.dilation.h, oh = position / s.stride.h;
      if (position < 0 || position % s.stride.h != 0 || oh >= s.oh) continue;
      for (int64_t k = first_k; k < first_k + s.group_k(); ++k) {
        const T* gy_row = gy + ((n * s.k + k) * s.oh + oh) * s.ow;
        const T* w_row = weight + ((k * s.group_c() + c_in_group) * s.kernel.h + r) * s.kernel.w;
        for (int64_t q = 0; q < s.kernel.w; ++q) {
          const auto [begin, end] = columns[static_cast<size_t>(q)];
          const int64_t iw = begin * s.stride.w - s.padding.w + q * s.dilation.w;
          add_scaled(end - begin, w_row[q], gy_row + begin, 1, gx_row + iw, s.stride.w);
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
