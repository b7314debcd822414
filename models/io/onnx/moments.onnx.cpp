// Normalisations by moments: of groups of channels, of an instance, root mean squares, norms
// along an axis.
#include <numeric>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/group_norm/group_norm.h"
#include "kernels/reduce/reduce.h"
#include "kernels/rms_norm/rms_norm.h"
#include "models/io/onnx/steps.h"

namespace loupe {
namespace {

using namespace onnx;
using Role = ParameterSpec::Role;

std::vector<int> axes_from(int first, int rank) {
  std::vector<int> all(static_cast<size_t>(rank - first));
  std::iota(all.begin(), all.end(), first);
  return all;
}
Value mean(NodeImport& n, const std::string& name, const Port& x, const std::vector<int>& axes) {
  return n.add(name, reduce({.kind = Reduce::Kind::mean, .axes = axes, .keep = true}), {x});
}
// √(x + eps).
Value root(NodeImport& n, const std::string& name, const Value& x, double eps) {
  const Value raised = n.add(name + ".eps", add(), {x.port, number(n, name + ".epsilon", eps)});
  return n.add(name, function_op("sqrt"), {raised.port});
}
// Scale and bias are of the channels; before opset 21 of the groups, a number for each.
Port of_channels(NodeImport& n, size_t k, int64_t channels, Role role) {
  if (n.shape(k).numel() == channels) return n.parameter(k, role);
  const int64_t groups = n.shape(k).numel();
  if (groups == 0 || channels % groups) throw Error("its scale and bias do not fit its channels");
  return n.parameter(k, role, "channels", [=](const Tensor& t) {
    Tensor y(Dtype::f32, {channels});
    for (int64_t c = 0; c < channels; ++c)
      y.values<float>()[static_cast<size_t>(c)] = static_cast<float>(t.item(c / (channels / groups)));
    return y;
  });
}
void grouped(NodeImport& n, int64_t groups) {
  if (n.shape(0).rank() < 2) throw Error("it takes channels");
  const int64_t channels = n.shape(0)[1];
  n.output(n.add(group_norm({.groups = groups, .eps = n.f("epsilon", 1e-5)}),
                 {n.port(0), of_channels(n, 1, channels, Role::norm_weight),
                  of_channels(n, 2, channels, Role::norm_bias)}));
}
void group_norm_node(NodeImport& n) { grouped(n, n.i("num_groups", 1)); }
void instance_norm_node(NodeImport& n) {
  if (n.shape(0).rank() < 3) throw Error("it takes maps or sequences");
  grouped(n, n.shape(0)[1]);
}

// x / √(mean x² + eps) · scale over the dimensions from `axis` on.
void rms_norm_node(NodeImport& n) {
  const Shape& x = n.shape(0);
  const int rank = x.rank(), first = axis_of(n.i("axis", -1), rank);
  const double eps = n.f("epsilon", 1e-5);
  if (first == rank - 1 && rank >= 2 && n.shape(1) == Shape{x.back()})
    return n.output(n.add(rms_norm({.eps = eps}), {n.port(0), n.parameter(1, Role::norm_weight)}));
  const Value squares = n.add("squares", mul(), {n.port(0), n.port(0)});
  const Value size = root(n, "size", mean(n, "mean_square", squares.port, axes_from(first, rank)), eps);
  const Value y = n.add("normalised", loupe::div(), {n.port(0), size.port});
  n.output(n.add(mul(), {y.port, n.port(1)}));
}

// Mean 0 and variance 1 over `axes`.
void mean_variance(NodeImport& n) {
  std::vector<int> axes;
  for (const int64_t a : n.ints("axes", {0, 2, 3})) axes.push_back(axis_of(a, n.shape(0).rank()));
  const Value d = n.add("centred", sub(), {n.port(0), mean(n, "mean", n.port(0), axes).port});
  const Value variance = mean(n, "variance", n.add("squares", mul(), {d.port, d.port}).port, axes);
  const Value deviation = n.add("deviation", function_op("sqrt"), {variance.port});
  const Value size = n.add("size", add(), {deviation.port, number(n, "epsilon", 1e-9)});
  n.output(n.add(loupe::div(), {d.port, size.port}));
}

// x / ‖x‖ along an axis; where all are 0 they stay so.
void lp_norm(NodeImport& n) {
  const int axis = axis_of(n.i("axis", -1), n.shape(0).rank());
  const int64_t p = n.i("p", 2);
  if (p != 1 && p != 2) throw Error("p is neither 1 nor 2");
  const Reduce sum{.kind = Reduce::Kind::sum, .axes = {axis}, .keep = true};
  Value size = p == 1 ? n.add("sizes", function_op("abs"), {n.port(0)})
                      : n.add("squares", mul(), {n.port(0), n.port(0)});
  size = n.add("sum", reduce(sum), {size.port});
  if (p == 2) size = n.add("norm", function_op("sqrt"), {size.port});
  size = n.add("not_zero", maximum(), {size.port, number(n, "least", 1e-37)});
  n.output(n.add(loupe::div(), {n.port(0), size.port}));
}

}  // namespace

extern const OnnxGroup moments_onnx;
const OnnxGroup moments_onnx{{
    {"GroupNormalization", group_norm_node},
    {"InstanceNormalization", instance_norm_node},
    {"RMSNormalization", rms_norm_node},
    {"MeanVarianceNormalization", mean_variance},
    {"LpNormalization", lp_norm},
}};

}  // namespace loupe
