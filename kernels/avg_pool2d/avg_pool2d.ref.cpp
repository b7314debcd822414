#include <algorithm>

#include "kernels/avg_pool2d/avg_pool2d.h"
#include "kernels/common/parallel.h"

namespace loupe::ref {

template <typename T>
void avg_pool2d(const MeanWindows& windows, const T* x, T* y, int64_t planes) {
  const Pair map = windows.map;
  const int64_t pooled = std::ssize(windows.rows) * std::ssize(windows.columns);
  parallel_for(planes, [&](int64_t plane) {
    const T* from = x + plane * map.h * map.w;
    T* to = y + plane * pooled;
    for (const MeanSpan& row : windows.rows)
      for (const MeanSpan& column : windows.columns) {
        T sum = 0;
        for (int64_t h = row.begin; h < row.end; ++h)
          for (int64_t w = column.begin; w < column.end; ++w) sum += from[h * map.w + w];
        *to++ = sum / static_cast<T>(row.count * column.count);
      }
  });
}

template <typename T>
void avg_pool2d_vjp(const MeanWindows& windows, const T* gy, T* gx, int64_t planes) {
  const Pair map = windows.map;
  const int64_t pooled = std::ssize(windows.rows) * std::ssize(windows.columns);
  parallel_for(planes, [&](int64_t plane) {
    const T* from = gy + plane * pooled;
    T* to = gx + plane * map.h * map.w;
    std::fill(to, to + map.h * map.w, T(0));
    for (const MeanSpan& row : windows.rows)
      for (const MeanSpan& column : windows.columns) {
        const T share = *from++ / static_cast<T>(row.count * column.count);
        for (int64_t h = row.begin; h < row.end; ++h)
          for (int64_t w = column.begin; w < column.end; ++w) to[h * map.w + w] += share;
      }
  });
}

template void avg_pool2d(const MeanWindows&, const float*, float*, int64_t);
template void avg_pool2d(const MeanWindows&, const double*, double*, int64_t);
template void avg_pool2d_vjp(const MeanWindows&, const float*, float*, int64_t);
template void avg_pool2d_vjp(const MeanWindows&, const double*, double*, int64_t);

}  // namespace loupe::ref
