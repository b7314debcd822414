// Transposed ("fractionally strided") convolution, after PyTorch's conv_transpose2d: conv2d's adjoint, plus
// bias.
//
//   y[n,k,oh,ow] = bias[k] + Σ x[n,c,ih,iw] · weight[c,k',r,q]   over all c of k's group, ih, iw, r, q with
//       oh = ih·stride.h − padding.h + r·dilation.h,   ow = iw·stride.w − padding.w + q·dilation.w
//
//   x (N, C, H, W)   weight (C, K/G, kernel.h, kernel.w)   bias (K)   y (N, K, OH, OW)
//   G groups, k' = k mod K/G
//   OH = (H − 1)·stride.h − 2·padding.h + dilation.h·(kernel.h − 1) + output_padding.h + 1, OW likewise
//
// `output_padding` adds rows and columns at the bottom and right: conv2d with a stride maps several sizes to
// one, and this says which of them to return to. It is less than the stride or the dilation.
//
// There are no kernels of its own: forward is conv2d's vjp_input, vjp_input is conv2d's forward, and
// vjp_weight is conv2d's with x and gy exchanged (kernels/conv2d/).
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node. Parameters "weight" and, with `bias`, "bias".
struct ConvTranspose2d {
  int64_t out_channels;
  Pair kernel;
  Pair stride{1}, padding{0}, output_padding{0}, dilation{1};
  int64_t groups = 1;
  bool bias = true;
};
OpPtr conv_transpose2d(ConvTranspose2d);

}  // namespace loupe
