// add on the CPU: one pass over the blocked arrays, 12 bytes an element; the activation that follows a
// residual addition costs nothing on top.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/add/add.cpu.cpp"
#include "kernels/add/add.h"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

template <Activation::Kind kind>
void add_cells(float slope, const float* a, const float* b, float* y, uint16_t* mask, int64_t begin,
               int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const Block sum = add(load(a + i * kBlock), load(b + i * kBlock));
    store(activate<kind>(sum, slope, mask ? mask + i : nullptr), y + i * kBlock);
  }
}

void AddCells(Activation act, const float* a, const float* b, float* y, uint16_t* mask, int64_t begin,
              int64_t end) {
  using Kind = Activation::Kind;
  switch (act.kind) {
    case Kind::none:
      return add_cells<Kind::none>(act.slope, a, b, y, nullptr, begin, end);
    case Kind::relu:
      return add_cells<Kind::relu>(act.slope, a, b, y, mask, begin, end);
    case Kind::relu6:
      return add_cells<Kind::relu6>(act.slope, a, b, y, mask, begin, end);
    case Kind::leaky_relu:
      return add_cells<Kind::leaky_relu>(act.slope, a, b, y, mask, begin, end);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(AddCells);

constexpr int64_t kChunk = 1024;  // cells a task: 128 KiB read

void add(Activation activation, const float* a, const float* b, float* y, uint16_t* mask, int64_t cells) {
  const auto run = HWY_DYNAMIC_DISPATCH(AddCells);
  parallel_for(ceil_div(cells, kChunk), [=](int64_t i) {
    run(activation, a, b, y, mask, i * kChunk, std::min(cells, (i + 1) * kChunk));
  });
}

}  // namespace loupe::cpu
#endif
