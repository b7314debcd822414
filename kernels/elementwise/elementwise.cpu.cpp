// Elementwise functions on the CPU: one pass over cells of 16 floats, of blocked or planar arrays. The relu
// family is memory bound: 8 bytes an element forward (4 in place from cache), plus 1/8 byte for the mask.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise/elementwise.cpu.cpp"
#include "kernels/elementwise/elementwise.h"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"

#include <algorithm>
#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/elementwise/epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other ops' functions of the same name would merge with these

void FinishRun(const Epilogue& e, const CellRun& r) {
  if (e.row != Epilogue::Row::deconvnet) switch (e.function.id) {
#define LOUPE_FUNCTION(name, id) \
  case id:                       \
    return finish_cells_with<functions::name>(e, r);
#include "kernels/elementwise/function_list.inc"  // generated
#undef LOUPE_FUNCTION
    }
  finish_cells(e, r);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(FinishRun);

void finish_run(const Epilogue& e, const CellRun& run) { HWY_DYNAMIC_DISPATCH(FinishRun)(e, run); }

namespace {

constexpr int64_t kChunk = 1024;  // cells a task: 64 KiB read, well above the cost of handing it out

// The last values of a planar array, fewer than 16: by way of a cell of their own.
void finish_rest(const Epilogue& e, const CellRun& r, size_t count, bool bits) {
  alignas(64) float from[kBlock] = {}, residual[kBlock] = {}, to[kBlock], kept[kBlock] = {};
  std::copy_n(r.from, count, from);
  if (e.residual) std::copy_n(r.residual + r.offset, count, residual);
  std::byte* record = static_cast<std::byte*>(r.record) + (bits ? r.offset / 8 : r.offset * 4);
  const size_t record_bytes = !r.record ? 0 : bits ? (count + 7) / 8 : count * 4;
  const bool forward = e.row == Epilogue::Row::none;
  if (!forward && record_bytes) std::memcpy(kept, record, record_bytes);
  finish_run(e, {.from = from,
                 .residual = residual,
                 .to = to,
                 .record = r.record ? kept : nullptr,
                 .cells = 1,
                 .lanes = static_cast<uint16_t>((1u << count) - 1)});
  std::copy_n(to, count, r.to + r.offset);
  if (forward && record_bytes) std::memcpy(record, kept, record_bytes);
}

}  // namespace

void finish_blocked(const Epilogue& e, const float* from, const float* residual, float* to, void* record,
                    int64_t n, int64_t c, int64_t pixels) {
  const auto run = HWY_DYNAMIC_DISPATCH(FinishRun);
  // Without padding lanes all cells are alike.
  const bool whole = c % kBlock == 0;
  const int64_t maps = whole ? 1 : n * blocks(c), cells = whole ? n * blocks(c) * pixels : pixels;
  const auto last_lanes = static_cast<uint16_t>(whole ? 0xffff : (1u << c % kBlock) - 1);
  const int64_t chunks = ceil_div(cells, kChunk);
  parallel_for(maps * chunks, [&](int64_t i) {
    const int64_t map = i / chunks, begin = map * cells + i % chunks * kChunk;
    const bool last = (map + 1) % blocks(c) == 0;
    run(e, {.from = from + begin * kBlock,
            .residual = residual,
            .to = to,
            .record = record,
            .offset = begin * kBlock,
            .cells = std::min((map + 1) * cells, begin + kChunk) - begin,
            .lanes = last ? last_lanes : uint16_t{0xffff}});
  });
}

void finish_planar(const Epilogue& e, const float* from, const float* residual, float* to, void* record,
                   int64_t n, int64_t image) {
  const auto run = HWY_DYNAMIC_DISPATCH(FinishRun);
  const bool bits = record && e.function && function_info(e.function).keeps == Keeps::bit;
  if (!bits) {  // then images do not matter
    image *= n;
    n = 1;
  }
  const int64_t cells = image / kBlock, rest = image % kBlock,
                chunks = std::max<int64_t>(1, ceil_div(cells, kChunk));
  parallel_for(n * chunks, [&](int64_t i) {
    const int64_t b = i / chunks, begin = i % chunks * kChunk, end = std::min(cells, begin + kChunk);
    CellRun r{.from = from + b * image + begin * kBlock,
              .residual = residual ? residual + b * image : nullptr,
              .to = to + b * image,
              .record = bits ? static_cast<std::byte*>(record) + b * ceil_div(image, 8) : record,
              .offset = begin * kBlock,
              .cells = end - begin};
    run(e, r);
    if (end < cells || rest == 0) return;
    r.from += r.cells * kBlock;
    r.offset += r.cells * kBlock;
    finish_rest(e, r, static_cast<size_t>(rest), bits);
  });
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
