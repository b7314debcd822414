// Average pooling on the CPU, 16 channels at a time. A task makes one row: of outputs forward, of the map
// backward, where it gathers from the windows that cover the row, so that no two tasks write the same place.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/avg_pool2d/avg_pool2d.cpu.cpp"
#include "kernels/avg_pool2d/avg_pool2d.h"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE Block divide(const Block& a, int64_t divisor) {
  const Vec d = hn::Set(D(), static_cast<float>(divisor));
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Div(a.v[i], d);
  return r;
}

// x: a plane of the map; y: one row of means.
void MeanRow(int64_t width, const MeanSpan& row, std::span<const MeanSpan> columns, const float* x,
             float* y) {
  for (const MeanSpan& column : columns) {
    Block sum = fill(0.0f);
    for (int64_t h = row.begin; h < row.end; ++h)
      for (int64_t w = column.begin; w < column.end; ++w) sum = add(sum, load(x + (h * width + w) * kBlock));
    store(divide(sum, row.count * column.count), y);
    y += kBlock;
  }
}

// gy: a plane of means' gradients; gx: row h of the map, overwritten.
void MeanVjpRow(const MeanWindows& windows, int64_t h, const float* gy, float* gx) {
  std::fill(gx, gx + windows.map.w * kBlock, 0.0f);
  for (const MeanSpan& row : windows.rows) {
    const float* g = gy;
    gy += std::ssize(windows.columns) * kBlock;
    if (h < row.begin || h >= row.end) continue;
    for (const MeanSpan& column : windows.columns) {
      const Block share = divide(load(g), row.count * column.count);
      g += kBlock;
      for (int64_t w = column.begin; w < column.end; ++w)
        store(add(load(gx + w * kBlock), share), gx + w * kBlock);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(MeanRow);
HWY_EXPORT(MeanVjpRow);

void avg_pool2d(const MeanWindows& windows, const float* x, float* y, int64_t planes) {
  const auto run = HWY_DYNAMIC_DISPATCH(MeanRow);
  const Pair map = windows.map;
  const int64_t rows = std::ssize(windows.rows), columns = std::ssize(windows.columns);
  parallel_for(planes * rows, [&](int64_t task) {
    run(map.w, windows.rows[task % rows], windows.columns, x + task / rows * map.h * map.w * kBlock,
        y + task * columns * kBlock);
  });
}

void avg_pool2d_vjp(const MeanWindows& windows, const float* gy, float* gx, int64_t planes) {
  const auto run = HWY_DYNAMIC_DISPATCH(MeanVjpRow);
  const Pair map = windows.map;
  const int64_t pooled = std::ssize(windows.rows) * std::ssize(windows.columns);
  parallel_for(planes * map.h, [&](int64_t task) {
    run(windows, task % map.h, gy + task / map.h * pooled * kBlock, gx + task * map.w * kBlock);
  });
}

}  // namespace loupe::cpu
#endif
