// 2-D convolution (the cross-correlation of deep learning), after PyTorch's conv2d:
//
//   y[n,k,oh,ow] = bias[k] + Σ_c Σ_r Σ_q weight[k,c,r,q] · x[n, g·C/G + c, ih, iw]
//       ih = oh·stride.h − padding.h + r·dilation.h,   iw = ow·stride.w − padding.w + q·dilation.w
//
//   x (N, C, H, W)   weight (K, C/G, kernel.h, kernel.w)   bias (K)   y (N, K, OH, OW)
//   G groups, of which g = ⌊k / (K/G)⌋ is the one of k
//   OH = ⌊(H + 2·padding.h − dilation.h·(kernel.h − 1) − 1) / stride.h⌋ + 1, OW likewise
//
// Cells outside x count as zero. Every vjp is linear and needs no y: vjp_input reads the weight alone,
// vjp_weight reads x. A transposed convolution's forward *is* vjp_input, and its vjp_input is forward:
// conv_transpose2d runs these kernels (convolution_op.h), and so does linear on the CPU.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "kernels/common/op.h"
#include "kernels/reduce/parts.h"

namespace loupe {

/// Graph node: conv2d({.out_channels = 64, .kernel = 3, .padding = 1}). Parameters "weight" and, with `bias`,
/// "bias".
struct Conv2d {
  int64_t out_channels;
  Pair kernel;
  Pair stride{1}, padding{0}, dilation{1};
  int64_t groups = 1;
  bool bias = true;
};
OpPtr conv2d(Conv2d);

/// All sizes of one convolution; kernels see nothing else. (oh, ow) is stored because a transposed
/// convolution with output padding may ask for fewer rows than the formula above gives.
struct ConvSizes {
  int64_t n, c, h, w;  // x
  int64_t k, oh, ow;   // y
  Pair kernel, stride, padding, dilation;
  int64_t groups;

  int64_t group_c() const { return c / groups; }
  int64_t group_k() const { return k / groups; }
  int64_t weight_size() const { return k * group_c() * kernel.h * kernel.w; }
};

/// Positions [begin, end) of an axis.
struct Range {
  int64_t begin, end;
};
/// The outputs o in [0, outputs) whose input cell o·stride + offset lies in [0, size).
Range outputs_inside(int64_t offset, int64_t stride, int64_t size, int64_t outputs);

namespace ref {
// Planar arrays, T = float or double, sums in T.

/// `bias` may be null.
template <typename T>
void conv2d_forward(const ConvSizes&, const T* x, const T* weight, const T* bias, T* y);
/// gx = the adjoint of forward applied to gy. `bias` (C), added to each map of gx, is for transposed
/// convolutions; null else.
template <typename T>
void conv2d_vjp_input(const ConvSizes&, const T* gy, const T* weight, const T* bias, T* gx);
template <typename T>
void conv2d_vjp_weight(const ConvSizes&, const T* x, const T* gy, T* gw);
/// gb[k] = Σ gy[:, k, :]; gy is (n, k, pixels).
template <typename T>
void conv2d_vjp_bias(int64_t n, int64_t k, int64_t pixels, const T* gy, T* gb);
}  // namespace ref

namespace cpu {
// Blocked float32 arrays. `direction` is forward or vjp_input; weights are packed for one of them (see
// tap_convolution.h), `bias` is padded with zeros to whole blocks, or null. `workspace` holds at least
// conv2d_workspace() bytes. Any epilogue: `residual` is like `to`, or null; `record` is what its function
// keeps, blocked (forward: written, or null; a row reads it).

int64_t conv2d_packed_size(const ConvSizes&, Direction direction);
void conv2d_pack(const ConvSizes&, Direction direction, const float* weight, float* packed);
int64_t conv2d_workspace(const ConvSizes&, Direction direction);
std::string conv2d_algorithm(const ConvSizes&, Direction direction);

/// forward: from = x, to = y. vjp_input: from = gy, to = gx. Throws Error if `workspace` is too small.
void convolve(const ConvSizes&, Direction direction, const float* from, const float* packed,
              const float* bias, const Epilogue&, const float* residual, float* to, void* record,
              std::span<std::byte> workspace);
/// x, gy blocked; gw planar.
void conv2d_vjp_weight(const ConvSizes&, const float* x, const float* gy, float* gw);
/// gy (n, k, pixels) blocked; gb: k floats.
void conv2d_vjp_bias(int64_t n, int64_t k, int64_t pixels, const float* gy, float* gb);
}  // namespace cpu

/// How a device's kernels cut one direction of a convolution into blocks: the rows of the tile (gemm_tile.h)
/// are output channels of a group.
enum class ConvTile : uint8_t {
  direct,    // no tile: a thread for each output
  rows_32,   // 32 × 64
  rows_64,   // 64 × 64
  rows_128,  // 128 × 128
};

namespace device {  // conv2d.cu, conv2d_vjp_weight.cu; planar arrays
/// For the layer's shape, whatever the batch. `direction` is forward, vjp_input or vjp_weight.
ConvTile conv2d_tile(const ConvSizes&, Direction direction);
/// How vjp_weight cuts the pixels of a batch, and the blocks of a part.
Parts conv2d_parts(const ConvSizes&);
int64_t conv2d_blocks_of_part(const ConvSizes&);
/// What these choose, and why.
std::string conv2d_algorithm(const ConvSizes&, Direction direction);

/// Packed weights of forward and vjp_input: (groups, input channels of the group, kernel.h, kernel.w, output
/// channels of the group), the last one padded with zeros to a multiple of 4 unless the tile is `direct`.
inline int64_t conv2d_pitch(const ConvSizes& s, Direction direction, ConvTile tile) {
  const int64_t outputs = direction == Direction::forward ? s.group_k() : s.group_c();
  return tile == ConvTile::direct ? outputs : round_up(outputs, 4);
}
/// Floats of them; 0 where that is the planar weight itself.
int64_t conv2d_packed_size(const ConvSizes&, Direction direction);
void conv2d_pack(const ConvSizes&, Direction direction, const float* weight, float* packed);

/// forward: from = x, to = y. vjp_input: from = gy, to = gx. `bias`, one value for each channel of `to`, may
/// be null. Any epilogue: `residual` is like `to`, or null; `record` is what its function keeps, planar
/// (forward: written, or null; a row reads it). What the convolution's own kernel does not end with
/// (functions that keep numbers, and writing bits) is a pass over `to` behind it.
inline constexpr DeviceFunction<void(ConvSizes, Direction direction, ConvTile, const float* from,
                                     const float* packed, const float* bias, Epilogue, const float* residual,
                                     float* to, void* record)>
    conv2d_convolve{"conv2d_convolve"};
/// scratch: parts.scratch_floats(weight_size()) floats. The vjp to the bias is channel_sums.
inline constexpr DeviceFunction<void(ConvSizes, ConvTile, Parts, const float* x, const float* gy, float* gw,
                                     float* scratch)>
    conv2d_vjp_weight{"conv2d_vjp_weight"};

/// The kernels count in 32 bits, but for the elements of whole arrays: throws Failure for what is too large.
template <typename Failure>
int conv2d_count(int64_t value) {
  if (value < 0 || value >= int64_t{1} << 30)
    throw Failure("a convolution on a device counts to 2^30 pixels, rows or weights of a channel, not to " +
                  std::to_string(value) + ": lower the batch");
  return static_cast<int>(value);
}
}  // namespace device

}  // namespace loupe
