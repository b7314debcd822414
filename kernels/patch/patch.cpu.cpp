// Patches on the CPU, a row of a channel block at a time: of each row the stretches beyond the maps, from the
// base and from the window are copies. Floor: 4 bytes read and 4 written an element.
#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/patch/patch.h"

namespace loupe::cpu {

namespace {

// What beyond the maps is: 16 channels of a pixel, zero past the last channel.
using Pixel = std::array<float, kBlock>;

void copy(const float* from, float* to, int64_t pixels) {
  if (pixels > 0) std::memcpy(to, from, static_cast<size_t>(pixels * kBlock) * sizeof(float));
}

void fill(const Pixel& pixel, float* to, int64_t pixels) {
  for (int64_t i = 0; i < pixels; ++i) std::copy(pixel.begin(), pixel.end(), to + i * kBlock);
}

}  // namespace

void patch(const PatchSizes& s, const float* windows, const float* base, const int32_t* places, float outside,
           float* y) {
  const int64_t c_blocks = blocks(s.c);
  parallel_for(s.n * c_blocks, [&](int64_t i) {
    const int64_t n = i / c_blocks, block = i % c_blocks;
    const int32_t* at = places + (n * s.rows + s.row) * 4;
    const float* window = windows + i * s.window_h * s.window_w * kBlock;
    const float* map = base + block * s.map_h * s.map_w * kBlock;
    float* to = y + i * s.patch_h * s.patch_w * kBlock;
    Pixel pixel{};
    std::fill_n(pixel.begin(), std::min(kBlock, s.c - block * kBlock), outside);
    // Columns of the patch: [in0, in1) are in the maps, and of them [w0, w1) in the window.
    const auto columns = [&](int64_t column) { return std::clamp<int64_t>(column - at[3], 0, s.patch_w); };
    const int64_t in0 = columns(0), in1 = std::max(in0, columns(s.map_w));
    const int64_t w0 = std::clamp(columns(at[1]), in0, in1),
                  w1 = std::clamp(columns(at[1] + s.window_w), w0, in1);
    for (int64_t row = 0; row < s.patch_h; ++row, to += s.patch_w * kBlock) {
      const int64_t r = at[2] + row, of_window = r - at[0];
      if (r < 0 || r >= s.map_h) {
        fill(pixel, to, s.patch_w);
        continue;
      }
      const bool in_window = of_window >= 0 && of_window < s.window_h;
      const int64_t b0 = in_window ? w0 : in1, b1 = in_window ? w1 : in1;  // the window's part
      const float* from = map + (r * s.map_w + at[3]) * kBlock;
      fill(pixel, to, in0);
      copy(from + in0 * kBlock, to + in0 * kBlock, b0 - in0);
      if (in_window)
        copy(window + (of_window * s.window_w + at[3] + b0 - at[1]) * kBlock, to + b0 * kBlock, b1 - b0);
      copy(from + b1 * kBlock, to + b1 * kBlock, in1 - b1);
      fill(pixel, to + in1 * kBlock, s.patch_w - in1);
    }
  });
}

void patch_vjp(const PatchSizes& s, const float* gy, const int32_t* places, float* g) {
  const int64_t c_blocks = blocks(s.c);
  parallel_for(s.n * c_blocks, [&](int64_t i) {
    const int32_t* at = places + (i / c_blocks * s.rows + s.row) * 4;
    const float* from = gy + i * s.patch_h * s.patch_w * kBlock;
    float* to = g + i * s.window_h * s.window_w * kBlock;
    std::fill_n(to, s.window_h * s.window_w * kBlock, 0.0f);
    // Rows and columns that are in the window, in the patch and in the maps.
    const auto both = [](int64_t a, int64_t a_size, int64_t b, int64_t b_size, int64_t map) {
      return std::pair(std::max<int64_t>({a, b, 0}), std::min({a + a_size, b + b_size, map}));
    };
    const auto [r0, r1] = both(at[0], s.window_h, at[2], s.patch_h, s.map_h);
    const auto [q0, q1] = both(at[1], s.window_w, at[3], s.patch_w, s.map_w);
    for (int64_t r = r0; r < r1; ++r)
      copy(from + ((r - at[2]) * s.patch_w + q0 - at[3]) * kBlock,
           to + ((r - at[0]) * s.window_w + q0 - at[1]) * kBlock, q1 - q0);
  });
}

}  // namespace loupe::cpu
