// Normalisations and softmax.
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/layer_norm/layer_norm.h"
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
  const int rank = n.shape(0).rank();
  if (rank > 4) n.unsupported("of " + std::to_string(rank - 2) + " dimensions");
  const Value x = as_maps(n, computed(n, 0));
  const std::vector<Port> operands{x.port, n.parameter(1, Role::norm_weight), n.parameter(2, Role::norm_bias),
                                   n.parameter(3, Role::norm_mean), n.parameter(4, Role::norm_variance)};
  const OpPtr op = batch_norm({.eps = n.f("epsilon", 1e-5)});
  output_as(n, rank, [&](const char* suffix) { return n.add(suffix, op, operands); });
}

// scale and bias are of the normalised dimensions, which are the last ones.
void layer_norm_node(NodeImport& n) {
  if (n.wants_output(1) || n.wants_output(2)) n.unsupported("with mean and deviation as outputs");
  const Shape& x = n.shape(0);
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
void softmax_node(NodeImport& n) { softmax_as(n, softmax); }
void log_softmax_node(NodeImport& n) { softmax_as(n, log_softmax); }

}  // namespace

extern const OnnxGroup norm_onnx;
const OnnxGroup norm_onnx{{
    {"BatchNormalization", batch_norm_node},
    {"LayerNormalization", layer_norm_node},
    {"Softmax", softmax_node},
    {"LogSoftmax", log_softmax_node},
}};

}  // namespace loupe
