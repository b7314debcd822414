// Convolutions, of maps and of sequences.
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/pad/pad.h"
#include "kernels/slice/slice.h"
#include "models/io/onnx/spatial.h"

namespace loupe {
namespace {

using namespace onnx;
using Role = ParameterSpec::Role;

// Weights (A, B, L) as (A, B, 1, L).
Port weights(NodeImport& n) {
  const Shape& w = n.shape(1);
  if (!n.known(1)) n.unsupported("with weights that are computed in a run");
  if (w.rank() == 4) return n.parameter(1, Role::weight);
  return n.parameter(1, Role::weight, "maps", [](const Tensor& t) {
    return t.reshape({t.shape()[0], t.shape()[1], 1, t.shape()[2]});
  });
}

std::vector<Port> operands(NodeImport& n, const Value& x) {
  std::vector<Port> all{x.port, weights(n)};
  if (n.has(2)) all.push_back(n.parameter(2, Role::bias));
  return all;
}

// The operand in the engine's graph, as maps; a known one too.
Value input_maps(NodeImport& n) {
  Value x = n.value(0);
  x.port = n.port(0);
  x.constant = nullptr;
  return as_maps(n, x);
}

void conv(NodeImport& n) {
  const int rank = n.shape(0).rank();
  const Windows w = windows(n, n.shape(0), &n.shape(1));
  Value x = input_maps(n);
  Pair padding = w.before;
  if (!w.symmetric()) {
    x = n.add("pad", pad({.sides = {{2, w.before.h, w.after.h}, {3, w.before.w, w.after.w}}}), {x.port});
    padding = 0;
  }
  const OpPtr op = conv2d({.out_channels = n.shape(1)[0],
                           .kernel = w.kernel,
                           .stride = w.stride,
                           .padding = padding,
                           .dilation = w.dilation,
                           .groups = n.i("group", 1),
                           .bias = n.has(2)});
  output_as(n, rank, [&](const char* suffix) { return n.add(suffix, op, operands(n, x)); });
}

// Padding takes rows away from a transposed convolution's result; `output_shape` says what is to be left.
void conv_transpose(NodeImport& n) {
  const int rank = n.shape(0).rank();
  Windows w = windows(n, n.shape(0), &n.shape(1));
  const Value x = input_maps(n);
  const auto pair = [&](const char* name, Pair otherwise) {
    const std::vector<int64_t> v = n.ints(name);
    if (v.empty()) return otherwise;
    if (std::ssize(v) < rank - 2) throw Error(std::string(name) + " has too few numbers");
    return rank == 3 ? Pair(otherwise.h, v.back()) : Pair(v[v.size() - 2], v.back());
  };
  Pair extra = pair("output_padding", 0);
  if (rank == 3) extra.h = 0;
  const std::string mode = n.s("auto_pad", "NOTSET");
  const bool same = mode.starts_with("SAME");
  const auto full = [&](int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t added) {
    return stride * (size - 1) + added + (kernel - 1) * dilation + 1;
  };
  const Pair all(full(x.shape[2], w.kernel.h, w.stride.h, w.dilation.h, extra.h),
                 full(x.shape[3], w.kernel.w, w.stride.w, w.dilation.w, extra.w));
  if (same || n.has_attribute("output_shape")) {
    const Pair want = pair("output_shape", Pair(x.shape[2] * w.stride.h, x.shape[3] * w.stride.w));
    const Pair surplus(rank == 3 ? 0 : all.h - want.h, all.w - want.w);
    const auto half = [&](int64_t s) { return mode == "SAME_UPPER" ? s / 2 : s - s / 2; };
    w.before = Pair(half(surplus.h), half(surplus.w));
    w.after = Pair(surplus.h - w.before.h, surplus.w - w.before.w);
  }
  const bool cut = !w.symmetric();
  if (cut && std::min({w.before.h, w.before.w, w.after.h, w.after.w}) < 0)
    n.unsupported("with an output_shape beyond what its windows reach");
  const OpPtr op = conv_transpose2d({.out_channels = n.shape(1)[1] * n.i("group", 1),
                                     .kernel = w.kernel,
                                     .stride = w.stride,
                                     .padding = cut ? Pair(0) : w.before,
                                     .output_padding = extra,
                                     .dilation = w.dilation,
                                     .groups = n.i("group", 1),
                                     .bias = n.has(2)});
  output_as(n, rank, [&](const std::string& suffix) {
    if (!cut) return n.add(suffix, op, operands(n, x));
    const Value whole = n.add("whole", op, operands(n, x));
    const Slice rows{.axis = 2, .begin = w.before.h, .end = all.h - w.after.h};
    const Slice columns{.axis = 3, .begin = w.before.w, .end = all.w - w.after.w};
    return n.add(suffix, slice(columns), {n.add("rows", slice(rows), {whole.port}).port});
  });
}

}  // namespace

extern const OnnxGroup convolution_onnx;
const OnnxGroup convolution_onnx{{
    {"Conv", conv},
    {"ConvTranspose", conv_transpose},
}};

}  // namespace loupe
