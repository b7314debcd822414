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
// conv2d_workspace() bytes. `mask` gets one uint16 a cell if there is an activation and it is not null.

int64_t conv2d_packed_size(const ConvSizes&, Direction direction);
void conv2d_pack(const ConvSizes&, Direction direction, const float* weight, float* packed);
int64_t conv2d_workspace(const ConvSizes&, Direction direction);
std::string conv2d_algorithm(const ConvSizes&, Direction direction);

/// forward: from = x, to = y. vjp_input: from = gy, to = gx. Throws Error if `workspace` is too small.
void convolve(const ConvSizes&, Direction direction, const float* from, const float* packed,
              const float* bias, Activation, float* to, uint16_t* mask, std::span<std::byte> workspace);
/// x, gy blocked; gw planar.
void conv2d_vjp_weight(const ConvSizes&, const float* x, const float* gy, float* gw);
/// gy (n, k, pixels) blocked; gb: k floats.
void conv2d_vjp_bias(int64_t n, int64_t k, int64_t pixels, const float* gy, float* gb);
}  // namespace cpu

}  // namespace loupe
