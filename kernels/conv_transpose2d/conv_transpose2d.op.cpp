#include "kernels/conv_transpose2d/conv_transpose2d.h"

#include <algorithm>

#include "kernels/conv2d/conv2d.h"
#include "kernels/relu/relu.h"

namespace loupe {

extern const OpKind conv_transpose2d_kind;

namespace {

// The direction of the convolution behind a direction of the transposed one.
Direction exchanged(Direction d) {
  return d == Direction::forward ? Direction::vjp_input : d == Direction::vjp_input ? Direction::forward : d;
}

class ConvTranspose2dOp : public Op {
 public:
  explicit ConvTranspose2dOp(const ConvTranspose2d& config) : config_(config) {}
  const OpKind& kind() const override { return conv_transpose2d_kind; }
  std::string describe() const override {
    const Pair extra = config_.output_padding;
    return describe_convolution(as_conv2d()) + (extra == Pair(0) ? "" : ", output padding " + extra.str());
  }

  Shape infer(Shapes inputs) const override {
    expect_inputs("conv_transpose2d", inputs, 1);
    const Nchw x = expect_maps("conv_transpose2d", inputs[0]);
    const ConvTranspose2d& c = config_;
    check_convolution("conv_transpose2d", as_conv2d(), x.c);
    const auto fits = [](int64_t extra, int64_t stride, int64_t dilation) {
      return extra >= 0 && extra < std::max(stride, dilation);
    };
    if (!fits(c.output_padding.h, c.stride.h, c.dilation.h) ||
        !fits(c.output_padding.w, c.stride.w, c.dilation.w))
      throw UsageError("conv_transpose2d: output padding " + c.output_padding.str() +
                       " must be at least 0 and less than the stride or the dilation");
    const auto size = [](int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t extra,
                         int64_t dilation) {
      return (in - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1;
    };
    check_elements("conv_transpose2d", "input", {x.n, round_up(x.c, kBlock), x.h, x.w});
    // Each factor is below 2^40 and 2^30 here: see whether their products are sane before they are used.
    check_elements("conv_transpose2d", "output", {x.h, c.stride.h});
    check_elements("conv_transpose2d", "output", {x.w, c.stride.w});
    const int64_t oh = size(x.h, c.kernel.h, c.stride.h, c.padding.h, c.output_padding.h, c.dilation.h);
    const int64_t ow = size(x.w, c.kernel.w, c.stride.w, c.padding.w, c.output_padding.w, c.dilation.w);
    if (oh < 1 || ow < 1)
      throw UsageError("conv_transpose2d: padding " + c.padding.str() +
                       " leaves nothing of the output of a " + Pair(x.h, x.w).str() + " map");
    check_elements("conv_transpose2d", "output", {x.n, round_up(c.out_channels, kBlock), oh, ow});
    return {x.n, c.out_channels, oh, ow};
  }

  std::vector<ParameterSpec> parameters(Shapes inputs) const override {
    std::vector<ParameterSpec> list{
        {"weight",
         {inputs[0][1], config_.out_channels / config_.groups, config_.kernel.h, config_.kernel.w},
         ParameterSpec::Role::weight}};
    if (config_.bias) list.push_back({"bias", {config_.out_channels}, ParameterSpec::Role::bias});
    return list;
  }
  int64_t macs(Shapes inputs) const override {
    const ConvSizes s = sizes(inputs[0]);
    return s.n * s.oh * s.ow * s.weight_size();
  }
  /// With a stride, an output cell's window is a fraction of a cell wide, which Window cannot say: nullopt,
  /// the whole map.
  std::optional<Window> window() const override {
    if (config_.stride != Pair(1)) return std::nullopt;
    const Pair k = config_.kernel, p = config_.padding, d = config_.dilation;
    return Window{k, 1, {d.h * (k.h - 1) - p.h, d.w * (k.w - 1) - p.w}, d};
  }

  bool fuses_activation(Backend b) const override { return b == Backend::ref || b == Backend::cpu; }
  std::optional<int> folds_batch_norm() const override {
    return config_.groups == 1 ? std::optional<int>(1) : std::nullopt;
  }
  Needs needs(Direction d) const override { return {.inputs = d == Direction::vjp_weight}; }

  int64_t packed_size(Backend b, Direction d, Shapes inputs, size_t p) const override {
    if (b != Backend::cpu || (d != Direction::forward && d != Direction::vjp_input)) return 0;
    if (p == 0) return cpu::conv2d_packed_size(sizes(inputs[0]), exchanged(d));
    return d == Direction::forward ? round_up(config_.out_channels, kBlock) : 0;
  }
  void pack(Backend, Direction d, Shapes inputs, size_t p, const float* from, float* to) const override {
    if (p == 0) return cpu::conv2d_pack(sizes(inputs[0]), exchanged(d), from, to);
    std::fill_n(to, round_up(config_.out_channels, kBlock), 0.0f);
    std::copy_n(from, config_.out_channels, to);
  }
  int64_t workspace_bytes(Backend b, Direction d, Shapes inputs) const override {
    if (b != Backend::cpu || (d != Direction::forward && d != Direction::vjp_input)) return 0;
    return cpu::conv2d_workspace(sizes(inputs[0]), exchanged(d));
  }
  std::string algorithm(Backend b, Direction d, Shapes inputs) const override {
    if (b != Backend::cpu || (d != Direction::forward && d != Direction::vjp_input)) return "direct";
    return cpu::conv2d_algorithm(sizes(inputs[0]), exchanged(d));
  }
  int64_t accumulation_length(Direction d, Shapes inputs) const override {
    const ConvSizes s = sizes(inputs[0]);
    if (d == Direction::forward) return s.group_k() * s.kernel.h * s.kernel.w + 1;
    if (d == Direction::vjp_input) return s.group_c() * s.kernel.h * s.kernel.w;
    return d == Direction::vjp_weight ? s.n * s.oh * s.ow : s.n * s.h * s.w;
  }

  /// The convolution whose adjoint this is: its input is our output.
  ConvSizes sizes(const Shape& input) const {
    const Shape y = infer({&input, 1});
    return {y[0],
            y[1],
            y[2],
            y[3],
            input[1],
            input[2],
            input[3],
            config_.kernel,
            config_.stride,
            config_.padding,
            config_.dilation,
            config_.groups};
  }

 private:
  Conv2d as_conv2d() const {
    const ConvTranspose2d& c = config_;
    return {c.out_channels, c.kernel, c.stride, c.padding, c.dilation, c.groups, c.bias};
  }

  ConvTranspose2d config_;
};

ConvSizes sizes_of(const Op& op, const Arguments& a) {
  return static_cast<const ConvTranspose2dOp&>(op).sizes(a.inputs[0].shape);
}
template <typename T>
const T* bias_of(const Arguments& a) {
  return a.parameters.size() > 1 ? a.parameters[1].as<T>() : nullptr;
}

void ref_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    T* y = a.output.as<T>();
    ref::conv2d_vjp_input(sizes_of(op, a), a.inputs[0].as<T>(), a.parameters[0].as<T>(), bias_of<T>(a), y);
    if (a.activation)
      ref::activation_forward(a.activation, y, y, a.saved.as<uint8_t>(), a.output.shape[0],
                              Nchw::of(a.output.shape).image());
  });
}

void ref_vjp_input(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const T* no_bias = nullptr;
    ref::conv2d_forward(sizes_of(op, a), a.grad_output.as<T>(), a.parameters[0].as<T>(), no_bias,
                        a.grad.as<T>());
  });
}

void ref_vjp_weight(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::conv2d_vjp_weight(sizes_of(op, a), a.grad_output.as<T>(), a.inputs[0].as<T>(), a.grad.as<T>());
  });
}

void ref_vjp_bias(const Op&, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const Nchw y = Nchw::of(a.grad_output.shape);
    ref::conv2d_vjp_bias(y.n, y.c, y.h * y.w, a.grad_output.as<T>(), a.grad.as<T>());
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  cpu::convolve(sizes_of(op, a), Direction::vjp_input, a.inputs[0].as<float>(), a.parameters[0].as<float>(),
                bias_of<float>(a), a.activation, a.output.as<float>(), a.saved.as<uint16_t>(), a.workspace);
}

void cpu_vjp_input(const Op& op, const Arguments& a) {
  cpu::convolve(sizes_of(op, a), Direction::forward, a.grad_output.as<float>(), a.parameters[0].as<float>(),
                nullptr, {}, a.grad.as<float>(), nullptr, a.workspace);
}

void cpu_vjp_weight(const Op& op, const Arguments& a) {
  cpu::conv2d_vjp_weight(sizes_of(op, a), a.grad_output.as<float>(), a.inputs[0].as<float>(),
                         a.grad.as<float>());
}

void cpu_vjp_bias(const Op&, const Arguments& a) {
  const Nchw y = Nchw::of(a.grad_output.shape);
  cpu::conv2d_vjp_bias(y.n, y.c, y.h * y.w, a.grad_output.as<float>(), a.grad.as<float>());
}

}  // namespace

const OpKind conv_transpose2d_kind{"conv_transpose2d",
                                   "the adjoint of conv2d, with output padding, dilation and groups",
                                   {{Direction::forward, Backend::ref, ref_forward},
                                    {Direction::vjp_input, Backend::ref, ref_vjp_input},
                                    {Direction::vjp_weight, Backend::ref, ref_vjp_weight},
                                    {Direction::vjp_bias, Backend::ref, ref_vjp_bias},
                                    {Direction::forward, Backend::cpu, cpu_forward},
                                    {Direction::vjp_input, Backend::cpu, cpu_vjp_input},
                                    {Direction::vjp_weight, Backend::cpu, cpu_vjp_weight},
                                    {Direction::vjp_bias, Backend::cpu, cpu_vjp_bias}}};

OpPtr conv_transpose2d(ConvTranspose2d config) { return std::make_shared<ConvTranspose2dOp>(config); }

}  // namespace loupe
