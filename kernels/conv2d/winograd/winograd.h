// Winograd's minimal filtering F(4×4, 3×3) on the CPU (S. Winograd, Arithmetic complexity of computations,
// 1980; A. Lavin, S. Gray, Fast algorithms for convolutional neural networks, 2016): a 4×4 tile of outputs
// takes 36 multiplications for each pair of channels, where the direct sum takes 144.
//
//   Y = Aᵀ [Σ_c (G g_c Gᵀ) ⊙ (Bᵀ d_c B)] A
//
// for the 6×6 inputs d and the 3×3 kernel g. In between, each of the 36 positions is a matrix product, tiles
// by channels. The vjp to the input is the same with g turned round and channels exchanged; the vjp to the
// weight goes back through the same steps, Gᵀ [Σ_tiles (A gy Aᵀ) ⊙ (Bᵀ d B)] G.
//
// The price is accuracy: terms of a tile's other outputs enter and cancel again, so the error is bounded by
// |Aᵀ| [Σ (|G||g||Gᵀ|) ⊙ (|Bᵀ||d||B|)] |A|, some ten times the direct sum's. That is well for training; maps
// of evidence are made with the direct sum.
#pragma once
#include "kernels/conv2d/conv2d.h"

namespace loupe::cpu {

/// 3×3 with stride and dilation 1, one group, padding 0 to 2, and channels enough to be worth it.
bool winograd_fits(const ConvSizes&);

// As conv2d.h's functions of the same names, for sizes that fit; the sums' order follows from the layer's
// shape alone, in winograd_vjp_weight from the batch too.
int64_t winograd_packed_size(const ConvSizes&, Direction);
void winograd_pack(const ConvSizes&, Direction, const float* weight, float* packed);
/// `direction` may be vjp_weight.
int64_t winograd_workspace(const ConvSizes&, Direction);
void winograd_convolve(const ConvSizes&, Direction, const float* from, const float* packed, const float* bias,
                       const Epilogue&, const float* residual, float* to, void* record,
                       std::span<std::byte> workspace);
void winograd_vjp_weight(const ConvSizes&, const float* x, const float* gy, float* gw,
                         std::span<std::byte> workspace);

}  // namespace loupe::cpu
