// Normalisations and softmax.
#include <cmath>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/reduce/reduce.h"
#include "kernels/softmax/softmax.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/spatial.h"

namespace loupe {
namespace {

using namespace onnx;
using Role = ParameterSpec::Role;

Value computed(NodeImport& n, size_t k) {
  Value v = n.value(k);
  v.port = n.port(k);
  v.constant = nullptr;
  return v;
}

void batch_norm_node(NodeImport& n) {
  if (n.i("training_mode", 0) || (n.opset < 9 && n.i("spatial", 1) == 0))
    n.unsupported("with statistics of the batch");
  for (size_t k = 1; k < 5; ++k)
    if (!n.known(k)) n.unsupported("with parameters that are computed in a run");
  const int rank = n.shape(0).rank();
  if (rank > 4) n.unsupported("of " + std::to_string(rank - 2) + " dimensions");
  const Value x = as_maps(n, computed(n, 0));
  const std::vector<Port> operands{x.port, n.parameter(1, Role::norm_weight), n.parameter(2, Role::norm_bias),
                                   n.parameter(3, Role::norm_mean), n.parameter(4, Role::norm_variance)};
  const OpPtr op = batch_norm({.eps = n.f("epsilon", 1e-5)});
  output_as(n, rank, [&](const char* suffix) { return n.add(suffix, op, operands); });
}

Value mean(NodeImport& n, const std::string& name, const Value& x, const std::vector<int>& axes) {
  return n.add(name, reduce({.kind = Reduce::Kind::mean, .axes = axes, .keep = true}), {x.port});
}
// By elements: where mean and 1 / deviation are outputs too, or the normalised dimensions are all that there are.
void layer_norm_with_moments(NodeImport& n) {
  const int rank = n.shape(0).rank();
  std::vector<int> axes;
  for (int i = axis_of(n.i("axis", -1), rank); i < rank; ++i) axes.push_back(i);
  const Value x = computed(n, 0), middle = mean(n, "mean", x, axes);
  const Value d = n.add("centred", sub(), {x.port, middle.port});
  const Value variance = mean(n, "variance", n.add("squares", mul(), {d.port, d.port}), axes);
  const auto number = [&](const char* name, double value) {
    const float v = static_cast<float>(value);
    return n.constant(name, Tensor::from(std::span(&v, 1), {1}));
  };
  const Value raised = n.add("raised", add(), {variance.port, number("epsilon", n.f("epsilon", 1e-5))});
  const Value deviation = n.add("deviation", function_op("sqrt"), {raised.port});
  Value y = n.add("normalised", loupe::div(), {d.port, deviation.port});
  y = n.add(n.has(2) ? "scaled" : "", mul(), {y.port, n.port(1)});
  if (n.has(2)) y = n.add(add(), {y.port, n.port(2)});
  n.output(0, y);
  if (n.wants_output(1)) n.output(1, middle);
  if (n.wants_output(2)) n.output(2, n.add("inverse", loupe::div(), {number("one", 1), deviation.port}));
}

// scale and bias are of the normalised dimensions, which are the last ones.
void layer_norm_node(NodeImport& n) {
  const Shape& x = n.shape(0);
  if (n.wants_output(1) || n.wants_output(2) || axis_of(n.i("axis", -1), x.rank()) == 0)
    return layer_norm_with_moments(n);
  const int axes = x.rank() - axis_of(n.i("axis", -1), x.rank());
  const Shape place(x.dims().subspan(static_cast<size_t>(x.rank() - axes)));
  const auto parameter = [&](size_t k, Role role, float otherwise) {
    if (!n.has(k)) {
      const std::vector<float> same(static_cast<size_t>(place.numel()), otherwise);
      return n.constant(k == 1 ? "scale" : "bias", Tensor::from(std::span(same), place));
    }
    if (n.shape(k) == place) return n.parameter(k, role);
    return n.parameter(k, role, "repeated", [&](const Tensor& t) {
      Tensor y(Dtype::f32, place);
      for (int64_t i = 0; i < y.numel(); ++i)
        y.values<float>()[static_cast<size_t>(i)] = static_cast<float>(t.item(repeated(t.shape(), place, i)));
      return y;
    });
  };
  n.output(n.add(layer_norm({.axes = axes, .eps = n.f("epsilon", 1e-5)}),
                 {n.port(0), parameter(1, Role::norm_weight, 1), parameter(2, Role::norm_bias, 0)}));
}

// Before opset 13 all from `axis` on is one row of a matrix; since then it is the axis alone.
void softmax_as(NodeImport& n, OpPtr (*make)(int)) {
  const Value x = computed(n, 0);
  const int rank = x.shape.rank(), axis = axis_of(n.i("axis", n.opset < 13 ? 1 : -1), rank);
  int64_t behind = 1;
  for (int i = axis + 1; i < rank; ++i) behind *= x.shape[i];
  if (n.opset >= 13 || behind == 1) return n.output(n.add(make(axis), {x.port}));
  const auto rows = [&](const Shape& s) {
    int64_t outer = 1;
    for (int i = 0; i < axis; ++i) outer *= s[i];
    return std::vector<int64_t>{outer, s.numel() / outer};
  };
  const auto dims = [](const Shape& s) { return std::vector<int64_t>(s.dims().begin(), s.dims().end()); };
  const Value y = n.add("rows_softmax", make(1), {n.reshape("rows", x, rows(x.shape), rows(x.shape2)).port});
  n.output(n.reshape("", y, dims(x.shape), dims(x.shape2)));
}
// Of constants: e^(x − greatest) over their sum, or its logarithm.
template <bool logarithm>
Folded fold_softmax(const NodeImport& n, std::span<const Constant* const> operands) {
  const Constant& x = *operands[0];
  // What sums of halves are rounded to on the way, nobody says.
  if (x.type == ElementType::f16 || x.type == ElementType::bf16) n.unsupported("of constants of 16 bits");
  const int rank = x.shape.rank(), axis = axis_of(n.i("axis", n.opset < 13 ? 1 : -1), rank);
  int64_t size = x.shape[axis], inner = 1;
  for (int i = axis + 1; i < rank; ++i) (n.opset < 13 ? size : inner) *= x.shape[i];
  std::vector<double> y(static_cast<size_t>(x.numel()));
  for (int64_t row = 0; size && row < x.numel() / size; ++row) {
    const int64_t begin = row / inner * size * inner + row % inner;
    double greatest = -HUGE_VAL, sum = 0;
    for (int64_t i = 0; i < size; ++i) greatest = std::max(greatest, x.real(begin + i * inner));
    for (int64_t i = 0; i < size; ++i) sum += std::exp(x.real(begin + i * inner) - greatest);
    for (int64_t i = 0; i < size; ++i) {
      const double below = x.real(begin + i * inner) - greatest;
      y[static_cast<size_t>(begin + i * inner)] = logarithm ? below - std::log(sum) : std::exp(below) / sum;
    }
  }
  return {make_constant(x.type, x.shape, y)};
}
void softmax_node(NodeImport& n) { softmax_as(n, softmax); }
void log_softmax_node(NodeImport& n) { softmax_as(n, log_softmax); }

}  // namespace

extern const OnnxGroup norm_onnx;
const OnnxGroup norm_onnx{{
    {"BatchNormalization", batch_norm_node},
    {"LayerNormalization", layer_norm_node},
    {"Softmax", softmax_node, fold_softmax<false>},
    {"LogSoftmax", log_softmax_node, fold_softmax<true>},
}};

}  // namespace loupe
