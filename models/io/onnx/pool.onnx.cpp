// Pools: over windows, over all of a map, and the normalisation over neighbouring channels.
#include <limits>

#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/avg_pool2d/avg_pool2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/lrn/lrn.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/pad/pad.h"
#include "kernels/reduce/reduce.h"
#include "models/io/onnx/spatial.h"

namespace loupe {
namespace {

using namespace onnx;

Value input_maps(NodeImport& n) {
  Value x = n.value(0);
  x.port = n.port(0);
  x.constant = nullptr;
  return as_maps(n, x);
}

// How many windows fit; those that begin in the padding at the end do not count (as in PyTorch).
int64_t windows_along(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride,
                      int64_t dilation, bool ceil) {
  int64_t count = Windows::count(size, before, after, kernel, stride, dilation, ceil);
  if (ceil && (count - 1) * stride >= size + before) --count;
  return count;
}

struct Pooled {
  Pair windows;  // how many there are
  bool ceil;
  bool fits;  // the engine's pool, with w.before as its padding, has the same windows
};

// A pool of the engine pads both sides alike. Where a window may hang over the end it need not be padded there.
Pooled pooled(const Windows& w, const Shape& maps, bool ceil) {
  const auto along = [&](bool up, Pair after) {
    return Pair(windows_along(maps[2], w.before.h, after.h, w.kernel.h, w.stride.h, w.dilation.h, up),
                windows_along(maps[3], w.before.w, after.w, w.kernel.w, w.stride.w, w.dilation.w, up));
  };
  const Pair want = along(ceil, w.after);
  const bool small = w.before.h <= w.kernel.h / 2 && w.before.w <= w.kernel.w / 2;
  for (const bool up : {ceil, !ceil})
    if (small && along(up, w.before) == want) return {want, up, true};
  return {want, ceil, false};
}

// Padding as a node of its own, as much as the windows reach.
Value padded(NodeImport& n, const Value& x, const Windows& w, Pair count, double value) {
  const auto after = [](int64_t size, int64_t before, int64_t kernel, int64_t stride, int64_t dilation,
                        int64_t windows) {
    return std::max<int64_t>(0, (windows - 1) * stride + dilation * (kernel - 1) + 1 - size - before);
  };
  return n.add("pad",
               pad({.sides = {{2, w.before.h,
                               after(x.shape[2], w.before.h, w.kernel.h, w.stride.h, w.dilation.h, count.h)},
                              {3, w.before.w,
                               after(x.shape[3], w.before.w, w.kernel.w, w.stride.w, w.dilation.w, count.w)}},
                    .value = value}),
               {x.port});
}

void max_pool(NodeImport& n) {
  if (n.wants_output(1)) n.unsupported("with indices");
  const int rank = n.shape(0).rank();
  const Windows w = windows(n, n.shape(0));
  Value x = input_maps(n);
  const Pooled p = pooled(w, x.shape, n.i("ceil_mode", 0) != 0);
  MaxPool2d op{.kernel = w.kernel,
               .stride = w.stride,
               .padding = w.before,
               .dilation = w.dilation,
               .ceil_mode = p.ceil};
  if (!p.fits) {
    x = padded(n, x, w, p.windows, -std::numeric_limits<double>::infinity());
    op.padding = 0;
    op.ceil_mode = false;
  }
  output_as(n, rank, [&](const char* suffix) { return n.add(suffix, max_pool2d(op), {x.port}); });
}

// How many cells of a window count, along an axis: those of the map, and with `padding` those of the padding.
std::vector<double> counted(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride,
                            int64_t dilation, int64_t windows, bool padding) {
  std::vector<double> all;
  for (int64_t i = 0; i < windows; ++i) {
    int64_t cells = 0;
    for (int64_t k = 0; k < kernel; ++k) {
      const int64_t at = i * stride - before + k * dilation;
      cells += padding ? at < size + after : at >= 0 && at < size;
    }
    all.push_back(static_cast<double>(cells));
  }
  return all;
}

// As sums over the padded map, times one over the cells that count.
Value average_of_sums(NodeImport& n, const char* suffix, const Value& x, const Windows& w, const Pooled& p,
                      bool padding) {
  if (w.dilation != Pair(1)) n.unsupported("with dilations");
  const Value wide = padded(n, x, w, p.windows, 0);
  const Value sums =
      n.add("sum", avg_pool2d({.kernel = w.kernel, .stride = w.stride, .divisor = 1}), {wide.port});
  const std::vector<double> rows = counted(x.shape[2], w.before.h, w.after.h, w.kernel.h, w.stride.h,
                                           w.dilation.h, sums.shape[2], padding);
  const std::vector<double> columns = counted(x.shape[3], w.before.w, w.after.w, w.kernel.w, w.stride.w,
                                              w.dilation.w, sums.shape[3], padding);
  Tensor share(Dtype::f32, {1, 1, sums.shape[2], sums.shape[3]});
  size_t at = 0;
  for (const double r : rows)
    for (const double c : columns) share.values<float>()[at++] = static_cast<float>(1 / (r * c));
  return n.add(suffix, mul(), {sums.port, n.constant("share", share)});
}

void average_pool(NodeImport& n) {
  const int rank = n.shape(0).rank();
  const Windows w = windows(n, n.shape(0));
  const Value x = input_maps(n);
  const bool padding = n.i("count_include_pad", 0) != 0;
  const Pooled p = pooled(w, x.shape, n.i("ceil_mode", 0) != 0);
  const bool none = w.before == Pair(0) && w.after == Pair(0);
  const bool same = p.fits && w.dilation == Pair(1) &&
                    (none || !padding || (w.symmetric() && p.ceil == (n.i("ceil_mode", 0) != 0)));
  const AvgPool2d op{.kernel = w.kernel,
                     .stride = w.stride,
                     .padding = w.before,
                     .ceil_mode = p.ceil,
                     .count_include_pad = padding};
  output_as(n, rank, [&](const char* suffix) {
    return same ? n.add(suffix, avg_pool2d(op), {x.port}) : average_of_sums(n, suffix, x, w, p, padding);
  });
}

// (Σ |x|ᵖ)^(1/p) over the windows.
void lp_pool(NodeImport& n) {
  const int64_t p = n.i("p", 2);
  if (p != 1 && p != 2) n.unsupported("of p = " + std::to_string(p));
  const int rank = n.shape(0).rank();
  const Windows w = windows(n, n.shape(0));
  if (w.dilation != Pair(1)) n.unsupported("with dilations");
  const Value x = input_maps(n);
  const Pooled pool = pooled(w, x.shape, n.i("ceil_mode", 0) != 0);
  const Value size =
      p == 1 ? n.add("sizes", function_op("abs"), {x.port}) : n.add("squares", mul(), {x.port, x.port});
  const OpPtr sums = avg_pool2d({.kernel = w.kernel, .stride = w.stride, .divisor = 1});
  const Value wide = padded(n, size, w, pool.windows, 0);
  output_as(n, rank, [&](const char* suffix) {
    if (p == 1) return n.add(suffix, sums, {wide.port});
    return n.add(suffix, function_op("sqrt"), {n.add("sum", sums, {wide.port}).port});
  });
}

void global_average(NodeImport& n) {
  const int rank = n.shape(0).rank();
  if (rank != 3 && rank != 4) n.unsupported("of " + std::to_string(rank - 2) + " dimensions");
  const Value x = input_maps(n);
  output_as(n, rank, [&](const char* suffix) { return n.add(suffix, global_avg_pool2d(), {x.port}); });
}

void global_max(NodeImport& n) {
  Reduce op{.kind = Reduce::Kind::max, .axes = {}, .keep = true};
  for (int axis = 2; axis < n.shape(0).rank(); ++axis) op.axes.push_back(axis);
  n.output(n.add(reduce(op), {n.port(0)}));
}

void lrn_node(NodeImport& n) {
  n.output(n.add(lrn({.size = n.i("size", 1),
                      .alpha = n.f("alpha", 1e-4),
                      .beta = n.f("beta", 0.75),
                      .k = n.f("bias", 1)}),
                 {n.port(0)}));
}

}  // namespace

extern const OnnxGroup pool_onnx;
const OnnxGroup pool_onnx{{
    {"MaxPool", max_pool},
    {"AveragePool", average_pool},
    {"LpPool", lp_pool},
    {"GlobalAveragePool", global_average},
    {"GlobalMaxPool", global_max},
    {"LRN", lrn_node},
}};

}  // namespace loupe
