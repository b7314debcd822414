#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/direct/one_cell.cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"

#include <algorithm>

#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"
#include "kernels/conv2d/direct/one_cell.h"
#include "kernels/elementwise/epilogue-inl.h"

#ifndef LOUPE_ONE_CELL_CALL
#define LOUPE_ONE_CELL_CALL
namespace loupe::cpu {
struct OneCellCall {
  int64_t images, in_blocks, out_blocks, out_channels;
  const float* from;
  const float* packed;
  const float* bias;  // padded to whole blocks, or null
  Epilogue epilogue;
  const float* residual;
  float* to;
  void* record;
};
}  // namespace loupe::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other ops' functions of the same name would merge with these

// The 16 lanes' sum, in pairs.
float sum_of_lanes(const Block& b) {
  alignas(64) float lanes[kBlock];
  store(b, lanes);
  for (int half = kBlock / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

// The dot products of `x` with 16 rows of `blocks` blocks each.
void dot_products(const float* x, const float* rows, int64_t blocks, float* sums) {
  constexpr int kRows = 4;  // at once, so that multipliers need not wait for one another
  for (int first = 0; first < kBlock; first += kRows) {
    Block sum[kRows];
    for (int r = 0; r < kRows; ++r) sum[r] = fill(0.0f);
    for (int64_t b = 0; b < blocks; ++b) {
      const Block value = load(x + b * kBlock);
      for (int r = 0; r < kRows; ++r)
        sum[r] = fma(value, load(rows + ((first + r) * blocks + b) * kBlock), sum[r]);
    }
    for (int r = 0; r < kRows; ++r) sums[first + r] = sum_of_lanes(sum[r]);
  }
}

void OneCellBlock(const cpu::OneCellCall& c, int64_t block) {
  const float* rows = c.packed + block * kBlock * c.in_blocks * kBlock;
  const int64_t channels = std::min<int64_t>(kBlock, c.out_channels - block * kBlock);
  const auto lanes = static_cast<uint16_t>((1u << channels) - 1);
  const Block bias = c.bias ? load(c.bias + block * kBlock) : fill(0.0f);
  for (int64_t n = 0; n < c.images; ++n) {
    alignas(64) float sums[kBlock];
    dot_products(c.from + n * c.in_blocks * kBlock, rows, c.in_blocks, sums);
    store(add(load(sums), bias), sums);
    finish_cells(c.epilogue, {.from = sums,
                              .residual = c.residual,
                              .to = c.to,
                              .record = c.record,
                              .offset = (n * c.out_blocks + block) * kBlock,
                              .cells = 1,
                              .lanes = lanes});
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(OneCellBlock);

bool one_cell_fits(const ConvSizes& s) {
  return s.h * s.w == 1 && s.kernel == Pair(1) && s.stride == Pair(1) && s.padding == Pair(0) &&
         s.groups == 1;
}

int64_t one_cell_packed_size(const ConvSizes& s) { return round_up(s.c, kBlock) * round_up(s.k, kBlock); }

void one_cell_pack(const ConvSizes& s, Direction direction, const float* weight, float* packed) {
  const bool forward = direction == Direction::forward;
  const int64_t width = round_up(forward ? s.c : s.k, kBlock);
  std::fill_n(packed, one_cell_packed_size(s), 0.0f);
  for (int64_t k = 0; k < s.k; ++k)
    for (int64_t c = 0; c < s.c; ++c) packed[forward ? k * width + c : c * width + k] = weight[k * s.c + c];
}

void one_cell_convolve(const ConvSizes& s, Direction direction, const float* from, const float* packed,
                       const float* bias, const Epilogue& epilogue, const float* residual, float* to,
                       void* record) {
  const bool forward = direction == Direction::forward;
  const int64_t in = forward ? s.c : s.k, out = forward ? s.k : s.c;
  const OneCellCall call{
      s.n,   ceil_div(in, kBlock), ceil_div(out, kBlock), out, from, packed, bias, epilogue, residual, to,
      record};
  const auto run = HWY_DYNAMIC_DISPATCH(OneCellBlock);
  parallel_for(call.out_blocks, [&](int64_t block) { run(call, block); });
}

}  // namespace loupe::cpu
#endif  // HWY_ONCE
