#include "models/io/onnx/spatial.h"

#include "kernels/common/array.h"
#include "kernels/common/error.h"

namespace loupe::onnx {

namespace {

constexpr int64_t kLargest = int64_t{1} << 30;  // products of two still fit

// An attribute of one number an axis; of one axis, the width.
Pair pair(const NodeImport& n, const char* name, size_t axes, int64_t otherwise, int64_t least) {
  const std::vector<int64_t> given = n.ints(name, std::vector<int64_t>(axes, otherwise));
  if (given.size() != axes)
    throw Error(std::string(name) + " has " + std::to_string(given.size()) + " numbers for " +
                std::to_string(axes) + " axes");
  for (const int64_t v : given)
    if (v < least || v > kLargest) throw Error(std::string(name) + " cannot be " + std::to_string(v));
  return axes == 1 ? Pair(name == std::string_view("pads") ? 0 : 1, given[0]) : Pair(given[0], given[1]);
}

// SAME: as many windows as ⌈size / stride⌉, the padding shared out, an odd one at the end (or the beginning).
std::pair<int64_t, int64_t> same(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, bool upper) {
  const int64_t windows = ceil_div(size, stride);
  const int64_t all = std::max<int64_t>(0, (windows - 1) * stride + dilation * (kernel - 1) + 1 - size);
  return upper ? std::pair(all / 2, all - all / 2) : std::pair(all - all / 2, all / 2);
}

}  // namespace

int64_t Windows::count(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride,
                       int64_t dilation, bool ceil) {
  const int64_t slack = size + before + after - dilation * (kernel - 1) - 1;
  if (slack < 0) return 0;
  return (ceil ? ceil_div(slack, stride) : slack / stride) + 1;
}

Windows windows(const NodeImport& n, const Shape& x, const Shape* weight) {
  if (x.rank() != 3 && x.rank() != 4) n.unsupported("of " + std::to_string(x.rank() - 2) + " dimensions");
  const auto axes = static_cast<size_t>(x.rank() - 2);
  if (weight && weight->rank() != x.rank())
    throw Error("its weights " + weight->str() + " do not fit its operand " + x.str());
  Windows w;
  if (weight && !n.has_attribute("kernel_shape"))
    w.kernel = axes == 1 ? Pair(1, (*weight)[2]) : Pair((*weight)[2], (*weight)[3]);
  else
    w.kernel = pair(n, "kernel_shape", axes, 0, 1);
  w.stride = pair(n, "strides", axes, 1, 1);
  w.dilation = pair(n, "dilations", axes, 1, 1);
  const std::string mode = n.s("auto_pad", "NOTSET");
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    const int64_t height = axes == 1 ? 1 : x[2], width = x.back();
    const bool upper = mode == "SAME_UPPER";
    std::tie(w.before.h, w.after.h) = same(height, w.kernel.h, w.stride.h, w.dilation.h, upper);
    std::tie(w.before.w, w.after.w) = same(width, w.kernel.w, w.stride.w, w.dilation.w, upper);
  } else if (mode == "NOTSET" || mode.empty()) {
    const std::vector<int64_t> pads = n.ints("pads", std::vector<int64_t>(2 * axes, 0));
    if (pads.size() != 2 * axes) throw Error("pads has " + std::to_string(pads.size()) + " numbers");
    for (const int64_t p : pads)
      if (p < 0 || p > kLargest) n.unsupported("pads of " + std::to_string(p));
    w.before = axes == 1 ? Pair(0, pads[0]) : Pair(pads[0], pads[1]);
    w.after = axes == 1 ? Pair(0, pads[1]) : Pair(pads[2], pads[3]);
  } else if (mode != "VALID") {
    throw Error("auto_pad cannot be '" + mode + "'");
  }
  return w;
}

Value as_maps(NodeImport& n, const Value& x) {
  if (x.shape.rank() != 3) return x;
  return n.reshape("as_maps", x, {x.shape[0], x.shape[1], 1, x.shape[2]},
                   std::vector<int64_t>{x.shape2[0], x.shape2[1], 1, x.shape2[2]});
}

}  // namespace loupe::onnx
