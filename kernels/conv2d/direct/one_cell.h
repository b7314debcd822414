// Convolutions of maps of one cell by 1×1 kernels on the CPU, as squeeze-and-excitation has them: a product
// of a matrix and a vector. Each output is the dot product of two rows, whose terms are added in 16 sums,
// one for each lane, and these in pairs: some four times as near to the exact sum as terms added one after
// the other, and what such a convolution says is multiplied with whole maps. (Linear layers run with many
// images and as products of matrices.)
#pragma once
#include "kernels/conv2d/conv2d.h"

namespace loupe::cpu {

bool one_cell_fits(const ConvSizes&);

// As conv2d.h's functions of the same names, for sizes that fit. `direction` is forward or vjp_input.
// Packed weights are (outputs, inputs), both padded with zeros to whole blocks of 16.
int64_t one_cell_packed_size(const ConvSizes&);
void one_cell_pack(const ConvSizes&, Direction, const float* weight, float* packed);
void one_cell_convolve(const ConvSizes&, Direction, const float* from, const float* packed, const float* bias,
                       const Epilogue&, const float* residual, float* to, void* record);

}  // namespace loupe::cpu
