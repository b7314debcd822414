// Resize and Upsample. An output cell is a weighted sum of an axis' input cells, whatever the mode, so that a
// resize is a matrix for each axis; nearest neighbours are rows that are chosen; and the common ones are the
// engine's upsample.
#include <cmath>

#include "kernels/gather/gather.h"
#include "kernels/linear/linear.h"
#include "kernels/matmul/matmul.h"
#include "kernels/upsample/upsample.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;

struct Manner {
  std::string mode = "nearest", coordinates = "half_pixel", nearest = "round_prefer_floor";
  double cubic = -0.75;
  bool exclude_outside = false, antialias = false;
};

struct AxisResize {
  int axis;
  int64_t in, out;
  double scale;  // out / in, before the output was rounded to whole cells
};

// Where cell i of the output lies on the input, in cells. T is float where a cell is chosen: onnxruntime
// computes so, and what lies between two cells goes where rounding puts it.
template <typename T>
T place(const AxisResize& a, const Manner& m, int64_t i) {
  const T x = static_cast<T>(i), in = static_cast<T>(a.in), out = static_cast<T>(a.out);
  const T scale = static_cast<T>(a.scale), half = static_cast<T>(0.5);
  if (m.coordinates == "align_corners") return a.out == 1 ? 0 : x * (in - 1) / (out - 1);
  if (m.coordinates == "asymmetric") return x / scale;
  if (m.coordinates == "pytorch_half_pixel" && a.out == 1) return 0;
  const T centred = (x + half) / scale - half;
  if (m.coordinates == "half_pixel_symmetric") return in / 2 * (1 - out / (scale * in)) + centred;
  return centred;
}

int64_t nearest(double x, const std::string& rule) {
  if (rule == "floor") return static_cast<int64_t>(std::floor(x));
  if (rule == "ceil") return static_cast<int64_t>(std::ceil(x));
  if (rule == "round_prefer_ceil") return static_cast<int64_t>(std::floor(x + 0.5));
  return static_cast<int64_t>(std::ceil(x - 0.5));
}

// The weight of a cell at distance d: a triangle, or Keys' cubic.
double kernel(double d, const Manner& m) {
  d = std::abs(d);
  if (m.mode == "linear") return std::max(0.0, 1 - d);
  const double a = m.cubic;
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// (out, in): row i holds the weights of output cell i. Cells outside are the one at the edge.
std::vector<double> matrix(const AxisResize& a, const Manner& m) {
  std::vector<double> all(static_cast<size_t>(a.out * a.in));
  const double wide = m.antialias && a.scale < 1 ? a.scale : 1;
  const int64_t reach = m.mode == "linear" ? 1 : 2;
  const auto first = static_cast<int64_t>(std::floor(static_cast<double>(-reach) / wide)) + 1;
  for (int64_t i = 0; i < a.out; ++i) {
    const double x = place<double>(a, m, i);
    const auto whole = static_cast<int64_t>(std::floor(x));
    double* row = all.data() + i * a.in;
    double total = 0;
    for (int64_t k = first; k <= reach - first + (reach == 1 ? 0 : -1); ++k) {
      const int64_t cell = whole + k;
      const double w = kernel((static_cast<double>(cell) - x) * wide, m);
      if (m.exclude_outside && (cell < 0 || cell >= a.in)) continue;
      row[std::clamp<int64_t>(cell, 0, a.in - 1)] += w;
      total += w;
    }
    if (total != 0 && (m.exclude_outside || m.antialias))
      for (int64_t k = 0; k < a.in; ++k) row[k] /= total;
  }
  return all;
}

Tensor as_tensor(const std::vector<double>& values, const Shape& shape) {
  return Tensor::from(std::span(values), shape).to(Dtype::f32);
}

Value along_axis(NodeImport& n, const std::string& suffix, const Value& x, const AxisResize& a,
                 const Manner& m) {
  const std::string name = (suffix.empty() ? "" : suffix + ".") + "axis" + std::to_string(a.axis);
  if (m.mode == "nearest") {
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < a.out; ++i)
      rows.push_back(std::clamp<int64_t>(nearest(place<float>(a, m, i), m.nearest), 0, a.in - 1));
    return n.add(suffix, gather(a.axis), {x.port, n.constant_rows(name + ".rows", rows, {a.out})});
  }
  const Port weights = n.constant(name + ".weights", as_tensor(matrix(a, m), {a.out, a.in}));
  const int rank = x.shape.rank();
  const OpPtr product = linear({.out_features = a.out, .bias = false});
  if (a.axis == rank - 1) return n.add(suffix, product, {x.port, weights});
  if (a.axis == rank - 2) return n.add(suffix, matmul(), {weights, x.port});
  std::vector<int> order;  // the axis goes last, and comes back
  for (int i = 0; i < rank; ++i) order.push_back(i == a.axis ? rank - 1 : i == rank - 1 ? a.axis : i);
  const Value last = n.transpose(name + ".last", x, order);
  return n.transpose(suffix, n.add(name, product, {last.port, weights}), order);
}

// The engine's upsample, of maps, where it is the same.
OpPtr as_upsample(const Shape& x, const std::vector<AxisResize>& axes, const Manner& m) {
  if (x.rank() != 4 || axes.empty()) return nullptr;
  Pair size(x[2], x[3]);
  for (const AxisResize& a : axes) {
    if (a.axis < 2 || static_cast<float>(a.scale) * static_cast<float>(a.in) != static_cast<float>(a.out))
      return nullptr;
    (a.axis == 2 ? size.h : size.w) = a.out;
  }
  Upsample op{.size = size};
  const bool corners = m.coordinates == "align_corners";
  if (m.mode == "nearest") {
    const bool whole = std::ranges::all_of(axes, [](const AxisResize& a) { return a.out % a.in == 0; });
    const bool halves = whole && (m.coordinates == "half_pixel" || m.coordinates == "pytorch_half_pixel") &&
                        m.nearest == "round_prefer_floor";
    if (!halves && (m.coordinates != "asymmetric" || m.nearest != "floor")) return nullptr;
    return upsample(op);
  }
  if (m.mode != "linear" || m.exclude_outside) return nullptr;
  if (m.antialias && std::ranges::any_of(axes, [](const AxisResize& a) { return a.scale < 1; }))
    return nullptr;
  if (!corners && m.coordinates != "half_pixel" &&
      (m.coordinates != "pytorch_half_pixel" || size.h == 1 || size.w == 1))
    return nullptr;
  if (corners && (size.h == 1 || size.w == 1)) return nullptr;
  op.mode = Upsample::Mode::bilinear;
  op.align_corners = corners;
  return upsample(op);
}

void resize_by(NodeImport& n, const std::vector<AxisResize>& all, const Manner& m) {
  const Value x = n.value(0);
  std::vector<AxisResize> axes;
  for (const AxisResize& a : all) {
    if (a.out < 1 || a.in < 1) n.unsupported("that leaves nothing");
    if (a.out > (1 << 20)) n.unsupported("to " + std::to_string(a.out) + " cells");
    // The standard's reference spreads corners over in·scale cells, onnxruntime over the whole ones.
    if (m.coordinates == "align_corners" &&
        std::abs(a.scale * static_cast<double>(a.in) - static_cast<double>(a.out)) > 1e-4)
      n.unsupported("with corners aligned, by a factor that leaves part of a cell");
    if (a.in * a.out > n.element_limit()) throw Error("it is too large");
    if (a.out != a.in || a.scale != 1) axes.push_back(a);
  }
  if (axes.empty()) return n.output(x);
  Value y = x;
  y.port = n.port(0);
  y.constant = nullptr;
  if (const OpPtr op = as_upsample(x.shape, axes, m)) {
    y = n.add(op, {y.port});
  } else {
    for (size_t i = 0; i < axes.size(); ++i)
      y = along_axis(n, i + 1 == axes.size() ? "" : "axis_" + std::to_string(axes[i].axis), y, axes[i], m);
  }
  y.type = x.type;
  n.output(y);
}

std::vector<double> reals(const NodeImport& n, size_t k) {
  std::vector<double> all;
  if (!n.has(k)) return all;
  if (!n.known(k)) n.unsupported("by factors that are computed in a run");
  for (int64_t i = 0; i < n.shape(k).numel(); ++i) all.push_back(n.value(k).constant->real(i));
  return all;
}

std::vector<AxisResize> by_scales(const Shape& x, const std::vector<int64_t>& axes,
                                  const std::vector<double>& scales) {
  if (scales.size() != axes.size()) throw Error("its scales are not one an axis");
  std::vector<AxisResize> all;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int axis = axis_of(axes[i], x.rank());
    // In float32, as the scales are: 5 · 1.8 is 9.
    const double size = std::floor(static_cast<float>(x[axis]) * static_cast<float>(scales[i]));
    if (!(size >= 0 && size < 1e9)) throw Error("a scale is out of range");
    all.push_back({axis, x[axis], static_cast<int64_t>(size), scales[i]});
  }
  return all;
}

void resize_node(NodeImport& n) {
  Manner m{.mode = n.s("mode", "nearest"),
           .coordinates = n.s("coordinate_transformation_mode", n.opset < 11 ? "asymmetric" : "half_pixel"),
           .nearest = n.s("nearest_mode", n.opset < 11 ? "floor" : "round_prefer_floor"),
           .cubic = n.f("cubic_coeff_a", -0.75),
           .exclude_outside = n.i("exclude_outside", 0) != 0,
           .antialias = n.i("antialias", 0) != 0};
  if (m.mode != "nearest" && m.mode != "linear" && m.mode != "cubic") n.unsupported("mode " + m.mode);
  if (m.coordinates == "tf_crop_and_resize" || m.coordinates == "tf_half_pixel_for_nn")
    n.unsupported("with coordinates " + m.coordinates);
  if (n.s("keep_aspect_ratio_policy", "stretch") != "stretch") n.unsupported("that keeps the aspect ratio");
  const Shape& x = n.shape(0);
  std::vector<int64_t> axes = n.ints("axes");
  if (axes.empty())
    for (int i = 0; i < x.rank(); ++i) axes.push_back(i);
  const std::vector<double> scales = reals(n, n.opset < 11 ? 1 : 2);
  if (!scales.empty()) return resize_by(n, by_scales(x, axes, scales), m);
  const std::vector<double> sizes = reals(n, 3);
  if (sizes.size() != axes.size()) throw Error("its sizes are not one an axis");
  std::vector<AxisResize> all;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int axis = axis_of(axes[i], x.rank());
    if (!(sizes[i] >= 0 && sizes[i] < 1e9)) throw Error("a size is out of range");
    all.push_back({axis, x[axis], static_cast<int64_t>(sizes[i]), sizes[i] / static_cast<double>(x[axis])});
  }
  resize_by(n, all, m);
}

// Scales are an attribute before opset 9.
void upsample_node(NodeImport& n) {
  const Manner m{.mode = n.s("mode", "nearest"), .coordinates = "asymmetric", .nearest = "floor"};
  if (m.mode != "nearest" && m.mode != "linear") n.unsupported("mode " + m.mode);
  std::vector<int64_t> axes;
  for (int i = 0; i < n.shape(0).rank(); ++i) axes.push_back(i);
  resize_by(n, by_scales(n.shape(0), axes, n.has(1) ? reals(n, 1) : n.floats("scales")), m);
}

}  // namespace

extern const OnnxGroup resize_onnx;
const OnnxGroup resize_onnx{{
    {"Resize", resize_node},
    {"Upsample", upsample_node},
}};

}  // namespace loupe
