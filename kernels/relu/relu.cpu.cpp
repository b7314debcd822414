// The relu family on the CPU: one pass over the blocked array. Memory bound: 8 bytes an element forward (4 in
// place from cache), plus 1/8 byte for the mask.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/relu/relu.cpu.cpp"
#include "kernels/relu/relu.h"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other ops' functions of the same name would merge with these

template <Activation::Kind kind>
void forward_cells(float slope, const float* x, float* y, uint16_t* mask, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    store(activate<kind>(load(x + i * kBlock), slope, mask ? mask + i : nullptr), y + i * kBlock);
}

void ForwardCells(Activation a, const float* x, float* y, uint16_t* mask, int64_t begin, int64_t end) {
  using Kind = Activation::Kind;
  switch (a.kind) {
    case Kind::none:
      return forward_cells<Kind::none>(a.slope, x, y, nullptr, begin, end);
    case Kind::relu:
      return forward_cells<Kind::relu>(a.slope, x, y, mask, begin, end);
    case Kind::relu6:
      return forward_cells<Kind::relu6>(a.slope, x, y, mask, begin, end);
    case Kind::leaky_relu:
      return forward_cells<Kind::leaky_relu>(a.slope, x, y, mask, begin, end);
  }
}

void VjpCells(Activation a, const float* gy, const uint16_t* mask, float* gx, int64_t begin, int64_t end) {
  const Block leak = fill(a.kind == Activation::Kind::leaky_relu ? a.slope : 0.0f);
  const bool leaky = a.kind == Activation::Kind::leaky_relu;
  for (int64_t i = begin; i < end; ++i) {
    const Block g = load(gy + i * kBlock);
    store(select(mask[i], g, leaky ? mul(g, leak) : leak), gx + i * kBlock);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(ForwardCells);
HWY_EXPORT(VjpCells);

constexpr int64_t kChunk = 1024;  // cells a task: 64 KiB read, well above the cost of handing it out

void activation_forward(Activation a, const float* x, float* y, uint16_t* mask, int64_t cells) {
  const auto run = HWY_DYNAMIC_DISPATCH(ForwardCells);
  parallel_for(ceil_div(cells, kChunk),
               [=](int64_t i) { run(a, x, y, mask, i * kChunk, std::min(cells, (i + 1) * kChunk)); });
}

void activation_vjp(Activation a, const float* gy, const uint16_t* mask, float* gx, int64_t cells) {
  const auto run = HWY_DYNAMIC_DISPATCH(VjpCells);
  parallel_for(ceil_div(cells, kChunk),
               [=](int64_t i) { run(a, gy, mask, gx, i * kChunk, std::min(cells, (i + 1) * kChunk)); });
}

// A pixel's 16 channels are one word, so channels are on where the OR of a block's words has a bit: 1/32 of
// the memory that the activations take, and less, as most blocks have all their bits after a few pixels.
// Plain C++: the compiler makes vectors of it.
void channels_on(const uint16_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels) {
  constexpr int64_t kPart = 256;  // pixels between two looks at the bits
  parallel_for(blocks(c), [=](int64_t block) {
    const int64_t channels = std::min(kBlock, c - block * kBlock);
    const auto all = static_cast<uint16_t>((1 << channels) - 1);
    uint16_t bits = 0;
    for (int64_t b = 0; b < n && bits != all; ++b) {
      const uint16_t* words = mask + (b * blocks(c) + block) * pixels;
      for (int64_t p = 0; p < pixels && bits != all; p += kPart)
        for (int64_t i = p; i < std::min(pixels, p + kPart); ++i)
          bits = static_cast<uint16_t>(bits | words[i]);
    }
    for (int64_t k = 0; k < channels; ++k) on[block * kBlock + k] = (bits >> k) & 1;
  });
}

}  // namespace loupe::cpu
#endif
