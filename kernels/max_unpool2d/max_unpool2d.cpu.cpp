// Max unpooling on the CPU. A task makes one row of the larger map: it gathers from the windows that cover
// the row, in row-major order, and adds x where the switch equals the cell's position, 16 channels at a time.
// No two tasks write the same row, no addition depends on the threads, and a switch that names no place of
// the map is never met.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/max_unpool2d/max_unpool2d.cpu.cpp"
#include "kernels/max_unpool2d/max_unpool2d.h"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

using Bytes = hn::Rebind<uint8_t, D>;
using Ints = hn::RebindToSigned<D>;

struct Switches {
  hn::Vec<Ints> v[kVectors];
};
HWY_INLINE Switches load_switches(const uint8_t* p) {
  Switches s;
  for (int i = 0; i < kVectors; ++i) s.v[i] = hn::PromoteTo(Ints(), hn::LoadU(Bytes(), p + i * kLanes));
  return s;
}

// y: row h of the map, overwritten; x, switches: the plane of windows.
void UnpoolRow(const Pooling& p, int64_t h, Pair map, Pair pooled, std::span<const WindowSpan> columns,
               const float* x, const uint8_t* switches, float* y) {
  std::fill(y, y + map.w * kBlock, 0.0f);
  for (int64_t r = p.kernel.h - 1; r >= 0; --r) {  // downwards: windows from the top
    const int64_t offset = h + p.padding.h - r * p.dilation.h, i = offset / p.stride.h;
    if (offset < 0 || offset % p.stride.h || i >= pooled.h) continue;
    for (int64_t j = 0; j < pooled.w; ++j) {
      const WindowSpan& column = columns[j];
      const Block value = load(x + (i * pooled.w + j) * kBlock);
      const Switches at = load_switches(switches + (i * pooled.w + j) * kBlock);
      for (int64_t s = column.begin; s < column.end; ++s) {
        float* to = y + (column.first + s * p.dilation.w) * kBlock;
        Block sum = load(to);
        const auto position = hn::Set(Ints(), static_cast<int32_t>(r * p.kernel.w + s));
        for (int l = 0; l < kVectors; ++l) {
          const auto here = hn::RebindMask(D(), hn::Eq(at.v[l], position));
          sum.v[l] = hn::Add(sum.v[l], hn::IfThenElseZero(here, value.v[l]));
        }
        store(sum, to);
      }
    }
  }
}

// gx: one row of windows, overwritten; gy: the plane of the map.
void UnpoolVjpRow(const Pooling& p, int64_t width, const WindowSpan& row, std::span<const WindowSpan> columns,
                  const float* gy, const uint8_t* switches, float* gx) {
  for (const WindowSpan& column : columns) {
    const Switches at = load_switches(switches);
    Block g = fill(0.0f);
    for (int64_t r = row.begin; r < row.end; ++r) {
      const float* line = gy + ((row.first + r * p.dilation.h) * width + column.first) * kBlock;
      for (int64_t s = column.begin; s < column.end; ++s) {
        const Block v = load(line + s * p.dilation.w * kBlock);
        const auto position = hn::Set(Ints(), static_cast<int32_t>(r * p.kernel.w + s));
        for (int l = 0; l < kVectors; ++l)
          g.v[l] = hn::IfThenElse(hn::RebindMask(D(), hn::Eq(at.v[l], position)), v.v[l], g.v[l]);
      }
    }
    store(g, gx);
    switches += kBlock;
    gx += kBlock;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(UnpoolRow);
HWY_EXPORT(UnpoolVjpRow);

void max_unpool2d(const Pooling& p, Pair map, Pair pooled, const float* x, const uint8_t* switches, float* y,
                  int64_t n, int64_t c) {
  const auto run = HWY_DYNAMIC_DISPATCH(UnpoolRow);
  const std::vector<WindowSpan> columns = p.columns(map, pooled);
  parallel_for(n * blocks(c) * map.h, [&](int64_t task) {
    const int64_t windows = task / map.h * pooled.h * pooled.w * kBlock;
    run(p, task % map.h, map, pooled, columns, x + windows, switches + windows, y + task * map.w * kBlock);
  });
}

void max_unpool2d_vjp(const Pooling& p, Pair map, Pair pooled, const float* gy, const uint8_t* switches,
                      float* gx, int64_t n, int64_t c) {
  const auto run = HWY_DYNAMIC_DISPATCH(UnpoolVjpRow);
  const std::vector<WindowSpan> rows = p.rows(map, pooled), columns = p.columns(map, pooled);
  parallel_for(n * blocks(c) * pooled.h, [&](int64_t task) {
    const int64_t windows = task * pooled.w * kBlock;
    run(p, map.w, rows[task % pooled.h], columns, gy + task / pooled.h * map.h * map.w * kBlock,
        switches + windows, gx + windows);
  });
}

}  // namespace loupe::cpu
#endif
