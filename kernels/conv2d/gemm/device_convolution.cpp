// The host's side of conv2d.cu: which tile a layer takes, and its packed weights.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d.h"

namespace loupe::device {

namespace {

// The matrix product behind a direction, of one group, one phase (conv2d.cu) and one image.
struct Product {
  int64_t rows, cols;
};
Product product_of(const ConvSizes& s, Direction d) {
  if (d == Direction::vjp_input) return {s.group_c(), ceil_div(s.h, s.stride.h) * ceil_div(s.w, s.stride.w)};
  if (d == Direction::vjp_weight) return {s.group_k(), s.group_c() * s.kernel.h * s.kernel.w};
  return {s.group_k(), s.oh * s.ow};
}

}  // namespace

ConvTile conv2d_tile(const ConvSizes& s, Direction d) {
  const auto [rows, cols] = product_of(s, d);
  if (s.groups > 1 && rows <= 4) return ConvTile::direct;
  if (rows >= 96 && cols >= 1024) return ConvTile::rows_128;
  if (rows > 32 && cols >= 64) return ConvTile::rows_64;
  return ConvTile::rows_32;
}

Parts conv2d_parts(const ConvSizes& s) {
  const auto [rows, cols] = product_of(s, Direction::vjp_weight);
  const bool direct = conv2d_tile(s, Direction::vjp_weight) == ConvTile::direct;
  const int64_t warps = direct ? 8 * s.weight_size()  // a block each
                               : s.groups * ceil_div(rows, 32) * ceil_div(cols, 64);
  return Parts::of(s.n, s.oh * s.ow, warps, direct ? Parts::kChannels : Parts::kTiles);
}

int64_t conv2d_blocks_of_part(const ConvSizes& s) {
  const auto [rows, cols] = product_of(s, Direction::vjp_weight);
  const auto tiles = [&](int64_t high, int64_t wide) {
    return s.groups * ceil_div(rows, high) * ceil_div(cols, wide);
  };
  switch (conv2d_tile(s, Direction::vjp_weight)) {
    case ConvTile::rows_32:
      return tiles(32, 64);
    case ConvTile::rows_64:
      return tiles(64, 64);
    case ConvTile::rows_128:
      return tiles(128, 128);
    case ConvTile::direct:
      break;
  }
  return s.weight_size();
}

std::string conv2d_algorithm(const ConvSizes& s, Direction d) {
  const auto [rows, cols] = product_of(s, d);
  const bool weights = d == Direction::vjp_weight;
  const std::string size = std::to_string(rows) + " × " + std::to_string(cols);
  std::string text;
  switch (conv2d_tile(s, d)) {
    case ConvTile::direct:
      text = std::string("direct, a ") + (weights ? "block a weight" : "thread an output") + " (" +
             std::to_string(rows) + " output channels a group)";
      break;
    case ConvTile::rows_32:
      text = "implicit GEMM, tiles of 32 × 64 (" + size + " is small)";
      break;
    case ConvTile::rows_64:
      text = "implicit GEMM, tiles of 64 × 64 (for " + size + ")";
      break;
    case ConvTile::rows_128:
      text = "implicit GEMM, tiles of 128 × 128 (" + size + " is large)";
      break;
  }
  const Pair phases{std::min(s.stride.h, s.h), std::min(s.stride.w, s.w)};
  if (d == Direction::vjp_input && phases != Pair(1))
    text += ", " + phases.str() + " phases, no inserted zeros";
  if (weights) text += conv2d_parts(s).describe(conv2d_blocks_of_part(s));
  return text;
}

int64_t conv2d_packed_size(const ConvSizes& s, Direction d) {
  const bool adjoint = d == Direction::vjp_input;
  const int64_t outputs = adjoint ? s.group_c() : s.group_k();
  const int64_t pitch = conv2d_pitch(s, d, conv2d_tile(s, d)), cells = s.kernel.h * s.kernel.w;
  if (pitch == outputs && (outputs == 1 || (adjoint && cells == 1))) return 0;
  return s.groups * (adjoint ? s.group_k() : s.group_c()) * cells * pitch;
}

void conv2d_pack(const ConvSizes& s, Direction d, const float* weight, float* packed) {
  const bool adjoint = d == Direction::vjp_input;
  const int64_t inputs = adjoint ? s.group_k() : s.group_c(), outputs = adjoint ? s.group_c() : s.group_k();
  const int64_t cells = s.kernel.h * s.kernel.w, pitch = conv2d_pitch(s, d, conv2d_tile(s, d));
  const int64_t input_step = adjoint ? outputs * cells : cells,
                output_step = adjoint ? cells : inputs * cells;
  // A task packs a few input channels: what it reads of one output lies together.
  constexpr int64_t kTogether = 16;
  const int64_t tasks = ceil_div(inputs, kTogether);
  parallel_for(s.groups * tasks, [&](int64_t task) {
    const int64_t g = task / tasks, first = task % tasks * kTogether,
                  last = std::min(inputs, first + kTogether);
    const float* from = weight + g * inputs * outputs * cells;
    float* to = packed + g * inputs * cells * pitch;
    for (int64_t o = 0; o < pitch; ++o)
      for (int64_t i = first; i < last; ++i)
        for (int64_t cell = 0; cell < cells; ++cell)
          to[(i * cells + cell) * pitch + o] =
              o < outputs ? from[i * input_step + o * output_step + cell] : 0.0f;
  });
}

}  // namespace loupe::device
