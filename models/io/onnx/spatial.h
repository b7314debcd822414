// What convolutions and pools have in common: where their windows lie, and 1-D as 2-D of height 1.
#pragma once
#include <algorithm>

#include "models/io/onnx/import.h"

namespace loupe::onnx {

/// The windows of a node over maps (N, C, H, W), or (N, C, L), which count as (N, C, 1, L).
struct Windows {
  Pair kernel{1}, stride{1}, dilation{1};
  Pair before{0}, after{0};  // padding at the top and left, and at the bottom and right

  bool symmetric() const { return before == after; }
  /// An axis' length with its padding, and how many windows fit.
  static int64_t count(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride,
                       int64_t dilation, bool ceil = false);
};

/// By attributes kernel_shape (or `kernel`, of weights), strides, pads, dilations and auto_pad, for an operand
/// of that shape. Throws Unsupported for volumes, Error for attributes that do not fit.
Windows windows(const NodeImport& n, const Shape& x, const Shape* weight = nullptr);

/// (N, C, L) as (N, C, 1, L); maps as they are.
Value as_maps(NodeImport& n, const Value& x);
/// The last step of a node: maps made of an operand that had `rank` dimensions, as it had them. Where nothing
/// is to be done, `make("")` gives the node its name; else it is `make("maps")`.
template <typename Make>
void output_as(NodeImport& n, int rank, const Make& make) {
  if (rank != 3) return n.output(make(""));
  const Value y = make("maps");
  const std::vector<int64_t> dims{y.shape[0], y.shape[1], y.shape[3]},
      dims2{y.shape2[0], y.shape2[1], y.shape2[3]};
  n.output(n.reshape("", y, dims, dims2));
}

}  // namespace loupe::onnx
