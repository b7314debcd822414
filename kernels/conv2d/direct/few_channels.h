// The vjp to an input of few channels on the CPU, and so a transposed convolution to few channels. An image has three,
// which would leave 13 of 16 lanes idle where lanes are channels. Here lanes are the numbers that one cell of gy adds to
// gx: of a kernel of 3×3 and three channels 27, in two blocks. They come of a product of matrices, cells by lanes, a row
// of gy at a time, whose runs of kernel.w·C neighbours are then added to the rows of gx.
//
// Every result is a sum over kernel cells of sums over the channels of gy, in an order that follows from the layer's
// shape and, across, from where the result lies modulo few_channels_period().
#pragma once
#include "kernels/conv2d/conv2d.h"

namespace loupe::cpu {

/// One group, at most 8 input channels, a kernel of more than one cell, no dilation across.
bool few_channels_fits(const ConvSizes&);

/// Pixels across gx after which the order of sums is the same again.
int64_t few_channels_period(const ConvSizes&);

// As conv2d.h's functions of the same names, of vjp_input, for sizes that fit.
int64_t few_channels_packed_size(const ConvSizes&);
void few_channels_pack(const ConvSizes&, const float* weight, float* packed);
int64_t few_channels_workspace(const ConvSizes&);
void few_channels_vjp_input(const ConvSizes&, const float* gy, const float* packed, const float* bias,
                            const Epilogue&, const float* residual, float* gx, void* record,
                            std::span<std::byte> workspace);

}  // namespace loupe::cpu
