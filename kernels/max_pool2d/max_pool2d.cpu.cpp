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

// kOutputs neighbours of a row, whose windows reach over the same columns, `step` floats apart. x: the first
// cell of the first window. Positions are carried as floats (≤ 255, exact). Several outputs at a time hide
// the latency of a comparison that waits for the one before.
template <bool with_switches, int kOutputs>
HWY_INLINE void pool_windows(const Pooling& p, int64_t width, const WindowSpan& row, const WindowSpan& column,
                             const float* x, int64_t step, float* y, uint8_t* switches) {
  Block best[kOutputs], where[kOutputs];
  const bool outside = row.empty() || column.empty();
  const auto cell = [&](int64_t r, int64_t s) {
    return x + (r * p.dilation.h * width + s * p.dilation.w) * kBlock;
  };
  for (int j = 0; j < kOutputs; ++j) {
    best[j] = outside ? fill(-std::numeric_limits<float>::infinity())
                      : load(cell(row.begin, column.begin) + j * step);
    where[j] = fill(outside ? 0.0f : static_cast<float>(row.begin * p.kernel.w + column.begin));
  }
  for (int64_t r = row.begin; r < row.end; ++r)
    for (int64_t s = column.begin; s < column.end; ++s) {
      [[maybe_unused]] const Vec position = hn::Set(D(), static_cast<float>(r * p.kernel.w + s));
      for (int j = 0; j < kOutputs; ++j) {
        const Block v = load(cell(r, s) + j * step);
        for (int i = 0; i < kVectors; ++i) {
          Vec& b = best[j].v[i];
          // Not(≤) is true for a NaN too; once the best is a NaN, nothing replaces it.
          const auto larger = hn::AndNot(hn::Le(v.v[i], b), hn::Eq(b, b));
          b = hn::IfThenElse(larger, v.v[i], b);
          if constexpr (with_switches) where[j].v[i] = hn::IfThenElse(larger, position, where[j].v[i]);
        }
      }
    }
  for (int j = 0; j < kOutputs; ++j) {
    store(best[j], y + j * kBlock);
    if constexpr (with_switches)
      for (int i = 0; i < kVectors; ++i)
        hn::StoreU(hn::DemoteTo(Bytes(), hn::ConvertTo(Ints(), where[j].v[i])), Bytes(),
                   switches + j * kBlock + i * kLanes);
  }
}

// One row of outputs. x: the plane of a channel block; y, switches: the row.
template <bool with_switches>
void pool_row(const Pooling& p, int64_t width, const WindowSpan& row, std::span<const WindowSpan> columns,
              const float* x, float* y, uint8_t* switches) {
  constexpr size_t kOutputs = kVectors == 1 ? 4 : 2;
  const auto alike = [](const WindowSpan& a, const WindowSpan& b) {
    return a.begin == b.begin && a.end == b.end;
  };
  for (size_t i = 0; i < columns.size();) {
    const WindowSpan& column = columns[i];
    const float* first = x + (row.first * width + column.first) * kBlock;
    float* to = y + i * kBlock;
    uint8_t* to_switches = with_switches ? switches + i * kBlock : nullptr;
    // Neither begin nor end ever grows along a row, so the last of them tells of those between.
    if (i + kOutputs <= columns.size() && alike(column, columns[i + kOutputs - 1])) {
      const int64_t step = (columns[i + 1].first - column.first) * kBlock;
      pool_windows<with_switches, kOutputs>(p, width, row, column, first, step, to, to_switches);
      i += kOutputs;
    } else {
      pool_windows<with_switches, 1>(p, width, row, column, first, 0, to, to_switches);
      ++i;
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
