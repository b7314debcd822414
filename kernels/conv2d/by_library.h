// Convolutions and linear layers on a GPU by NVIDIA's libraries (device/library.h): cuBLAS serves linear
// layers where it is there; cuDNN is what our convolutions are compared with, where `--conv cudnn` asks for
// it. What ends in _compared serves comparisons alone (bench/gpu): in any style, without a bias, so that
// nothing but the library's own kernels is timed.
#pragma once
#include "kernels/common/library_style.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/linear/linear.h"

namespace loupe::device {

/// A linear layer, or its vjp_input, as a 1×1 convolution of 1×1 maps with weights packed for `tile`: by
/// cuBLAS, or where that is missing, and in the simulator, by conv2d_convolve. An image's bits do not depend
/// on the batch.
inline constexpr DeviceFunction<void(ConvSizes, Direction direction, ConvTile tile, const float* from,
                                     const float* packed, const float* bias, Epilogue, const float* residual,
                                     float* to, void* record)>
    linear_product{"linear_product"};

/// As conv2d_convolve, but `weight` is planar. Fails where cuDNN was not chosen, and in the simulator.
inline constexpr DeviceFunction<void(ConvSizes, Direction direction, const float* from, const float* weight,
                                     const float* bias, Epilogue, const float* residual, float* to,
                                     void* record)>
    conv2d_by_library{"conv2d_by_library"};
inline constexpr DeviceFunction<void(ConvSizes, const float* x, const float* gy, float* gw)>
    conv2d_vjp_weight_by_library{"conv2d_vjp_weight_by_library"};

/// What the libraries leave to do, in place: y = epilogue(y + bias). y: (n, k, pixels); bias: (k), or null.
inline constexpr DeviceFunction<void(int64_t n, int64_t k, int64_t pixels, const float* bias, Epilogue,
                                     const float* residual, float* y, void* record)>
    bias_and_epilogue{"bias_and_epilogue"};

/// By cuDNN, by the fastest of its algorithms, which the first call of a shape finds by running them all.
/// Arrays in the style's type and layout. Fails without cuDNN.
///   forward     from = x, with = weight, to = y
///   vjp_input   from = gy, with = weight, to = gx
///   vjp_weight  from = x, with = gy, to = gw
inline constexpr DeviceFunction<void(ConvSizes, Direction, LibraryStyle, const void* from, const void* with,
                                     void* to)>
    conv2d_compared{"conv2d_compared"};

/// By cuBLAS, all rows in one product. x, gx (n, in); weight, gw (out, in); y, gy (n, out), in the type of the
/// arithmetic; operands as above. Fails without cuBLAS.
inline constexpr DeviceFunction<void(LinearSizes, Direction, LibraryMath, const void* from, const void* with,
                                     void* to)>
    linear_compared{"linear_compared"};

}  // namespace loupe::device
