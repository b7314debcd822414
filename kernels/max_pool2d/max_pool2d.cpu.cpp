// Max pooling on the CPU: 16 channels of an output at a time, one comparison a window cell. A task is one row
// of outputs.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/max_pool2d/max_pool2d.cpu.cpp"
#include "kernels/max_pool2d/max_pool2d.h"
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

// One row of outputs. x: the plane of a channel block; y, switches: the row. Positions are carried as floats
// (≤ 255, exact).
template <bool with_switches>
void pool_row(const Pooling& p, int64_t width, const WindowSpan& row, std::span<const WindowSpan> columns,
              const float* x, float* y, uint8_t* switches) {
  for (const WindowSpan& column : columns) {
    Block best = fill(-std::numeric_limits<float>::infinity());
    Block where = fill(0.0f);
    if (!row.empty() && !column.empty()) {
      const float* first = x + ((row.first + row.begin * p.dilation.h) * width + column.first) * kBlock;
      best = load(first + column.begin * p.dilation.w * kBlock);
      where = fill(static_cast<float>(row.begin * p.kernel.w + column.begin));
    }
    for (int64_t r = row.begin; r < row.end; ++r) {
      const float* line = x + ((row.first + r * p.dilation.h) * width + column.first) * kBlock;
      for (int64_t s = column.begin; s < column.end; ++s) {
        const Block v = load(line + s * p.dilation.w * kBlock);
        [[maybe_unused]] const Vec position = hn::Set(D(), static_cast<float>(r * p.kernel.w + s));
        for (int i = 0; i < kVectors; ++i) {
          // Not(≤) is true for a NaN too; once the best is a NaN, nothing replaces it.
          const auto number = hn::Eq(best.v[i], best.v[i]);
          const auto larger = hn::And(hn::Not(hn::Le(v.v[i], best.v[i])), number);
          best.v[i] = hn::IfThenElse(larger, v.v[i], best.v[i]);
          if constexpr (with_switches) where.v[i] = hn::IfThenElse(larger, position, where.v[i]);
        }
      }
    }
    store(best, y);
    y += kBlock;
    if constexpr (with_switches) {
      for (int i = 0; i < kVectors; ++i)
        hn::StoreU(hn::DemoteTo(Bytes(), hn::ConvertTo(Ints(), where.v[i])), Bytes(), switches + i * kLanes);
      switches += kBlock;
    }
  }
}

void PoolRow(const Pooling& p, int64_t width, const WindowSpan& row, std::span<const WindowSpan> columns,
             const float* x, float* y, uint8_t* switches) {
  switches ? pool_row<true>(p, width, row, columns, x, y, switches)
           : pool_row<false>(p, width, row, columns, x, y, switches);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(PoolRow);

namespace {

// Lanes past the last channel hold the switches of zeros, and −∞ for a window that misses the map: make them
// zero.
template <typename T>
void clear_padding_lanes(T* row, int64_t cells, int64_t lanes) {
  for (int64_t i = 0; i < cells; ++i) std::fill(row + i * kBlock + lanes, row + (i + 1) * kBlock, T(0));
}

}  // namespace

void max_pool2d(const Pooling& p, Pair map, Pair pooled, const float* x, float* y, uint8_t* switches,
                int64_t n, int64_t c) {
  const auto run = HWY_DYNAMIC_DISPATCH(PoolRow);
  const std::vector<WindowSpan> rows = p.rows(map, pooled), columns = p.columns(map, pooled);
  parallel_for(n * blocks(c) * pooled.h, [&](int64_t task) {
    const int64_t plane = task / pooled.h, row = task % pooled.h;
    float* y_row = y + task * pooled.w * kBlock;
    uint8_t* switch_row = switches ? switches + task * pooled.w * kBlock : nullptr;
    run(p, map.w, rows[row], columns, x + plane * map.h * map.w * kBlock, y_row, switch_row);
    const int64_t lanes = std::min(kBlock, c - plane % blocks(c) * kBlock);
    if (lanes == kBlock) return;
    clear_padding_lanes(y_row, pooled.w, lanes);
    if (switch_row) clear_padding_lanes(switch_row, pooled.w, lanes);
  });
}

}  // namespace loupe::cpu
#endif
