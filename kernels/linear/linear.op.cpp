#include "kernels/linear/linear.h"

#include <algorithm>

#include "kernels/conv2d/conv2d.h"
#include "kernels/relu/relu.h"

namespace loupe {

extern const OpKind linear_kind;

namespace {

class LinearOp : public Op {
 public:
  explicit LinearOp(const Linear& config) : config_(config) {}
  const OpKind& kind() const override { return linear_kind; }
  std::string describe() const override {
    return std::to_string(config_.out_features) + (config_.bias ? "" : ", no bias");
  }

  Shape infer(Shapes inputs) const override {
    expect_inputs("linear", inputs, 1);
    const Shape& x = inputs[0];
    if (x.rank() != 2 || x.numel() == 0)
      throw UsageError("linear takes non-empty vectors (N, F), got " + x.str() +
                       (x.rank() == 4 ? " (flatten maps first)" : ""));
    check_convolution("linear", {.out_channels = config_.out_features, .kernel = 1}, x[1]);
    check_elements("linear", "input", {x[0], round_up(x[1], kBlock)});
    check_elements("linear", "output", {x[0], round_up(config_.out_features, kBlock)});
    return {x[0], config_.out_features};
  }

  std::vector<ParameterSpec> parameters(Shapes inputs) const override {
    std::vector<ParameterSpec> list{
        {"weight", {config_.out_features, inputs[0][1]}, ParameterSpec::Role::weight}};
    if (config_.bias) list.push_back({"bias", {config_.out_features}, ParameterSpec::Role::bias});
    return list;
  }
  int64_t macs(Shapes inputs) const override { return inputs[0][0] * inputs[0][1] * config_.out_features; }
  std::optional<Window> window() const override { return std::nullopt; }

  bool fuses_activation(Backend b) const override { return b == Backend::ref || b == Backend::cpu; }
  std::optional<int> folds_batch_norm() const override { return 0; }
  Needs needs(Direction d) const override { return {.inputs = d == Direction::vjp_weight}; }

  int64_t packed_size(Backend b, Direction d, Shapes inputs, size_t p) const override {
    if (b != Backend::cpu || (d != Direction::forward && d != Direction::vjp_input)) return 0;
    if (p == 0) return cpu::conv2d_packed_size(as_convolution(inputs[0]), d);
    return d == Direction::forward ? round_up(config_.out_features, kBlock) : 0;
  }
  void pack(Backend, Direction d, Shapes inputs, size_t p, const float* from, float* to) const override {
    if (p == 0) return cpu::conv2d_pack(as_convolution(inputs[0]), d, from, to);
    std::fill_n(to, round_up(config_.out_features, kBlock), 0.0f);
    std::copy_n(from, config_.out_features, to);
  }
  int64_t workspace_bytes(Backend b, Direction d, Shapes inputs) const override {
    if (b != Backend::cpu || (d != Direction::forward && d != Direction::vjp_input)) return 0;
    return cpu::conv2d_workspace(as_convolution(inputs[0]), d);
  }
  std::string algorithm(Backend b, Direction d, Shapes) const override {
    if (b != Backend::cpu || (d != Direction::forward && d != Direction::vjp_input)) return "direct";
    return "direct, 16 or 32 outputs at a time, weights read once for 14 images";
  }
  int64_t accumulation_length(Direction d, Shapes inputs) const override {
    if (d == Direction::forward) return inputs[0][1] + 1;
    return d == Direction::vjp_input ? config_.out_features : inputs[0][0];
  }

  LinearSizes sizes(const Shape& input) const { return {input[0], input[1], config_.out_features}; }
  /// A 1×1 convolution of 1×1 maps.
  ConvSizes as_convolution(const Shape& input) const {
    return {input[0], input[1], 1, 1, config_.out_features, 1, 1, 1, 1, 0, 1, 1};
  }

 private:
  Linear config_;
};

const LinearOp& self(const Op& op) { return static_cast<const LinearOp&>(op); }
template <typename T>
const T* bias_of(const Arguments& a) {
  return a.parameters.size() > 1 ? a.parameters[1].as<T>() : nullptr;
}

void ref_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    T* y = a.output.as<T>();
    ref::linear_forward(self(op).sizes(a.inputs[0].shape), a.inputs[0].as<T>(), a.parameters[0].as<T>(),
                        bias_of<T>(a), y);
    if (a.activation)
      ref::activation_forward(a.activation, y, y, a.saved.as<uint8_t>(), a.output.shape[0],
                              a.output.shape[1]);
  });
}

void ref_vjp_input(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::linear_vjp_input(self(op).sizes(a.inputs[0].shape), a.grad_output.as<T>(), a.parameters[0].as<T>(),
                          a.grad.as<T>());
  });
}

void ref_vjp_weight(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::linear_vjp_weight(self(op).sizes(a.inputs[0].shape), a.inputs[0].as<T>(), a.grad_output.as<T>(),
                           a.grad.as<T>());
  });
}

void ref_vjp_bias(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::linear_vjp_bias(self(op).sizes(a.inputs[0].shape), a.grad_output.as<T>(), a.grad.as<T>());
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  cpu::convolve(self(op).as_convolution(a.inputs[0].shape), Direction::forward, a.inputs[0].as<float>(),
                a.parameters[0].as<float>(), bias_of<float>(a), a.activation, a.output.as<float>(),
                a.saved.as<uint16_t>(), a.workspace);
}

void cpu_vjp_input(const Op& op, const Arguments& a) {
  cpu::convolve(self(op).as_convolution(a.inputs[0].shape), Direction::vjp_input, a.grad_output.as<float>(),
                a.parameters[0].as<float>(), nullptr, {}, a.grad.as<float>(), nullptr, a.workspace);
}

void cpu_vjp_weight(const Op& op, const Arguments& a) {
  cpu::conv2d_vjp_weight(self(op).as_convolution(a.inputs[0].shape), a.inputs[0].as<float>(),
                         a.grad_output.as<float>(), a.grad.as<float>());
}

void cpu_vjp_bias(const Op&, const Arguments& a) {
  cpu::conv2d_vjp_bias(a.grad_output.shape[0], a.grad_output.shape[1], 1, a.grad_output.as<float>(),
                       a.grad.as<float>());
}

}  // namespace

const OpKind linear_kind{"linear",
                         "fully connected layer",
                         {{Direction::forward, Backend::ref, ref_forward},
                          {Direction::vjp_input, Backend::ref, ref_vjp_input},
                          {Direction::vjp_weight, Backend::ref, ref_vjp_weight},
                          {Direction::vjp_bias, Backend::ref, ref_vjp_bias},
                          {Direction::forward, Backend::cpu, cpu_forward},
                          {Direction::vjp_input, Backend::cpu, cpu_vjp_input},
                          {Direction::vjp_weight, Backend::cpu, cpu_vjp_weight},
                          {Direction::vjp_bias, Backend::cpu, cpu_vjp_bias}}};

OpPtr linear(Linear config) { return std::make_shared<LinearOp>(config); }

}  // namespace loupe
