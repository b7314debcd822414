#include "kernels/linear/linear.h"

#include "kernels/conv2d/by_library.h"
#include "kernels/conv2d/convolution_op.h"
#include "kernels/elementwise/elementwise.h"

namespace loupe {

extern const OpKind linear_kind;

namespace {

// forward and vjp_input on a device, by cuBLAS where it is there.
void product_by_library(const ConvSizes& s, Direction d, const Arguments& a) {
  const bool forward = d.is_forward();
  device::linear_product(a.queue, s, d, device::conv2d_tile(s, d),
                         (forward ? a.inputs[0] : a.grad_output).as<float>(), a.inputs[1].as<float>(),
                         forward && a.inputs.size() > 2 ? a.inputs[2].as<float>() : nullptr, a.epilogue,
                         a.residual.as<float>(), (forward ? a.output : a.grad).as<float>(),
                         a.epilogue_record.data);
}

class LinearOp : public ConvolutionOp {
 public:
  explicit LinearOp(const Linear& c)
      : ConvolutionOp(linear_kind, {.out_channels = c.out_features, .kernel = 1, .bias = c.bias}) {}
  std::string describe() const override {
    return std::to_string(config().out_channels) + (config().bias ? "" : ", no bias");
  }

  Shape shape(Shapes inputs) const override {
    if (inputs.size() != 1) check_operands(inputs);
    const Shape& x = inputs[0];
    if (x.rank() < 2 || x.numel() == 0)
      throw UsageError("linear takes non-empty vectors (N, …, F), got " + x.str());
    const int64_t rows = x.numel() / x.back(), out_features = config().out_channels;
    check_configuration(x.back());
    check_elements("input", {rows, round_up(x.back(), kBlock)});
    check_elements("output", {rows, round_up(out_features, kBlock)});
    return x.with(x.rank() - 1, out_features);
  }
  std::vector<ParameterSpec> parameters(Shapes given) const override {
    shape(given.first(1));
    std::vector<ParameterSpec> list{
        {"weight", {config().out_channels, given[0].back()}, ParameterSpec::Role::weight}};
    if (config().bias) list.push_back({"bias", {config().out_channels}, ParameterSpec::Role::bias});
    return list;
  }
  int64_t macs(Shapes inputs) const override { return inputs[0].numel() * config().out_channels; }
  LayoutWish layout(Backend b, Shapes inputs) const override {
    return inputs[0].rank() == 2 ? maps_wish(b, inputs[0]) : LayoutWish::planar;
  }
  int64_t accumulation_length(Direction d, Shapes inputs) const override {
    if (d.is_forward()) return inputs[0].back() + 1;  // and the bias
    return d == Direction::vjp_input ? config().out_channels : inputs[0].numel() / inputs[0].back();
  }
  std::optional<Window> window() const override { return std::nullopt; }
  bool is_linear() const override { return true; }
  Call prepare(Backend b, Direction d, Shapes inputs, const KernelOptions& options) const override {
    if (inputs[0].rank() > 2)
      return linear_rows_call(b, d, inputs[0], config().out_channels, inputs.size() > 2, options,
                              table_call(b, d));
    Call call = ConvolutionOp::prepare(b, d, inputs, options);
    const bool product = d == Direction::forward || d == Direction::vjp_input;
    if (b == Backend::cpu && product)
      call.describe = "direct, 16 or 32 outputs at a time, weights read once for 14 images";
    if (b == Backend::cuda && product && options.library_products) {
      call.run = [s = sizes(inputs[0]), d](const Arguments& a) { product_by_library(s, d, a); };
      call.describe = "cuBLAS, 32 images at a time; where it is missing, " + call.describe;
    }
    return call;
  }
};

LinearSizes sizes_of(const Op& op, const Arguments& a) {
  const Shape& x = a.inputs[0].shape;
  return {x.numel() / x.back(), x.back(), static_cast<const LinearOp&>(op).shape({&x, 1}).back()};
}

void ref_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref::linear_forward(sizes_of(op, a), a.inputs[0].as<T>(), a.inputs[1].as<T>(), bias_of<T>(a),
                        a.output.as<T>());
  });
  if (a.epilogue) finish(Backend::ref, {}, a.epilogue, a.output, a.residual, a.output, a.epilogue_record);
}

void ref_vjp_input(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::linear_vjp_input(sizes_of(op, a), a.grad_output.as<T>(), a.inputs[1].as<T>(), a.grad.as<T>());
  });
  if (a.epilogue) finish(Backend::ref, {}, a.epilogue, a.grad, a.residual, a.grad, a.epilogue_record);
}

void ref_vjp_weight(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::linear_vjp_weight(sizes_of(op, a), a.inputs[0].as<T>(), a.grad_output.as<T>(), a.grad.as<T>());
  });
}

void ref_vjp_bias(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::linear_vjp_bias(sizes_of(op, a), a.grad_output.as<T>(), a.grad.as<T>());
  });
}

// The reference has loops of its own; every other backend's kernels are the convolution's.
std::vector<OpKind::Row> linear_kernels() {
  std::vector<OpKind::Row> rows = convolution_kernels();
  for (OpKind::Row& row : rows)
    row.ref = row.direction == Direction::forward      ? ref_forward
              : row.direction == Direction::vjp_input  ? ref_vjp_input
              : row.direction == Direction::vjp_weight ? ref_vjp_weight
                                                       : ref_vjp_bias;
  return rows;
}

}  // namespace

const OpKind linear_kind{"linear", "fully connected layer", linear_kernels(), kConvolutionOperands};

OpPtr linear(Linear config) { return std::make_shared<LinearOp>(config); }

}  // namespace loupe
