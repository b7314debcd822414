#include "kernels/conv2d/conv2d.h"

#include <algorithm>

#include "kernels/relu/relu.h"

namespace loupe {

Range outputs_inside(int64_t offset, int64_t stride, int64_t size, int64_t outputs) {
  const int64_t begin = offset >= 0 ? 0 : ceil_div(-offset, stride);
  const int64_t end = offset >= size ? 0 : std::min(outputs, (size - 1 - offset) / stride + 1);
  return {std::min(begin, end), end};
}

void check_convolution(std::string_view op, const Conv2d& c, int64_t in_channels) {
  const auto refuse = [&](const std::string& what) { throw UsageError(std::string(op) + ": " + what); };
  constexpr int64_t kMost = int64_t{1} << 30;
  const auto check = [&](const char* name, int64_t value, int64_t least) {
    if (value < least || value > kMost)
      refuse(std::string(name) + " must be between " + std::to_string(least) + " and 2^30, not " +
             std::to_string(value));
  };
  check("input channels", in_channels, 1);
  check("output channels", c.out_channels, 1);
  check("groups", c.groups, 1);
  for (const int64_t v : {c.kernel.h, c.kernel.w}) check("kernel", v, 1);
  for (const int64_t v : {c.stride.h, c.stride.w}) check("stride", v, 1);
  for (const int64_t v : {c.dilation.h, c.dilation.w}) check("dilation", v, 1);
  for (const int64_t v : {c.padding.h, c.padding.w}) check("padding", v, 0);
  if (in_channels % c.groups != 0 || c.out_channels % c.groups != 0)
    refuse(std::to_string(in_channels) + " input and " + std::to_string(c.out_channels) +
           " output channels cannot be divided into " + std::to_string(c.groups) + " groups");
  check_elements(op, "weight", {c.out_channels, in_channels / c.groups, c.kernel.h, c.kernel.w});
}

void check_elements(std::string_view op, std::string_view array, std::initializer_list<int64_t> dims) {
  constexpr int64_t kMost = int64_t{1} << 40;
  int64_t elements = 1;
  for (const int64_t d : dims) {
    if (elements > kMost / d)
      throw UsageError(std::string(op) + ": the " + std::string(array) +
                       " would have more than 2^40 elements");
    elements *= d;
  }
}

std::string describe_convolution(const Conv2d& c) {
  const auto size = [](Pair p) { return p.h == p.w ? std::to_string(p.h) : p.str(); };
  std::string text = std::to_string(c.out_channels) + ", " + c.kernel.str();
  if (c.stride != Pair(1)) text += ", stride " + size(c.stride);
  if (c.padding != Pair(0)) text += ", padding " + size(c.padding);
  if (c.dilation != Pair(1)) text += ", dilation " + size(c.dilation);
  if (c.groups != 1) text += ", groups " + std::to_string(c.groups);
  if (!c.bias) text += ", no bias";
  return text;
}

extern const OpKind conv2d_kind;

namespace {

class Conv2dOp : public Op {
 public:
  explicit Conv2dOp(const Conv2d& config) : config_(config) {}
  const OpKind& kind() const override { return conv2d_kind; }
  std::string describe() const override { return describe_convolution(config_); }

  Shape infer(Shapes inputs) const override {
    expect_inputs("conv2d", inputs, 1);
    const Nchw x = expect_maps("conv2d", inputs[0]);
    check_convolution("conv2d", config_, x.c);
    const Conv2d& c = config_;
    const Pair window{c.dilation.h * (c.kernel.h - 1) + 1, c.dilation.w * (c.kernel.w - 1) + 1};
    const Pair padded{x.h + 2 * c.padding.h, x.w + 2 * c.padding.w};
    if (window.h > padded.h || window.w > padded.w)
      throw UsageError("conv2d: its window of " + window.str() + " cells is larger than the padded map, " +
                       padded.str());
    const int64_t oh = (padded.h - window.h) / c.stride.h + 1, ow = (padded.w - window.w) / c.stride.w + 1;
    check_elements("conv2d", "padded input", {x.n, round_up(x.c, kBlock), padded.h, padded.w});
    check_elements("conv2d", "output", {x.n, round_up(config_.out_channels, kBlock), oh, ow});
    return {x.n, config_.out_channels, oh, ow};
  }

  std::vector<ParameterSpec> parameters(Shapes inputs) const override {
    std::vector<ParameterSpec> list{
        {"weight",
         {config_.out_channels, inputs[0][1] / config_.groups, config_.kernel.h, config_.kernel.w},
         ParameterSpec::Role::weight}};
    if (config_.bias) list.push_back({"bias", {config_.out_channels}, ParameterSpec::Role::bias});
    return list;
  }
  int64_t macs(Shapes inputs) const override {
    const ConvSizes s = sizes(inputs[0]);
    return s.n * s.oh * s.ow * s.weight_size();
  }
  std::optional<Window> window() const override {
    return Window{config_.kernel, config_.stride, config_.padding, config_.dilation};
  }

  bool fuses_activation(Backend b) const override { return b == Backend::ref || b == Backend::cpu; }
  std::optional<int> folds_batch_norm() const override { return 0; }
  Needs needs(Direction d) const override { return {.inputs = d == Direction::vjp_weight}; }

  int64_t packed_size(Backend b, Direction d, Shapes inputs, size_t p) const override {
    if (b != Backend::cpu || (d != Direction::forward && d != Direction::vjp_input)) return 0;
    if (p == 0) return cpu::conv2d_packed_size(sizes(inputs[0]), d);
    return d == Direction::forward ? round_up(config_.out_channels, kBlock) : 0;
  }
  void pack(Backend, Direction d, Shapes inputs, size_t p, const float* from, float* to) const override {
    if (p == 0) return cpu::conv2d_pack(sizes(inputs[0]), d, from, to);
    std::fill_n(to, round_up(config_.out_channels, kBlock), 0.0f);
    std::copy_n(from, config_.out_channels, to);
  }
  int64_t workspace_bytes(Backend b, Direction d, Shapes inputs) const override {
    if (b != Backend::cpu || (d != Direction::forward && d != Direction::vjp_input)) return 0;
    return cpu::conv2d_workspace(sizes(inputs[0]), d);
  }
  std::string algorithm(Backend b, Direction d, Shapes inputs) const override {
    if (b != Backend::cpu || (d != Direction::forward && d != Direction::vjp_input)) return "direct";
    return cpu::conv2d_algorithm(sizes(inputs[0]), d);
  }
  int64_t accumulation_length(Direction d, Shapes inputs) const override {
    const ConvSizes s = sizes(inputs[0]);
    if (d == Direction::forward) return s.group_c() * s.kernel.h * s.kernel.w + 1;
    if (d == Direction::vjp_input) return s.group_k() * s.kernel.h * s.kernel.w;
    return s.n * s.oh * s.ow;
  }

  ConvSizes sizes(const Shape& input) const {
    const Shape y = infer({&input, 1});
    return {input[0],       input[1],       input[2],        input[3],         y[1],          y[2], y[3],
            config_.kernel, config_.stride, config_.padding, config_.dilation, config_.groups};
  }

 private:
  Conv2d config_;
};

ConvSizes sizes_of(const Op& op, const Arguments& a) {
  return static_cast<const Conv2dOp&>(op).sizes(a.inputs[0].shape);
}
template <typename T>
const T* bias_of(const Arguments& a) {
  return a.parameters.size() > 1 ? a.parameters[1].as<T>() : nullptr;
}

void ref_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    T* y = a.output.as<T>();
    ref::conv2d_forward(sizes_of(op, a), a.inputs[0].as<T>(), a.parameters[0].as<T>(), bias_of<T>(a), y);
    if (a.activation)
      ref::activation_forward(a.activation, y, y, a.saved.as<uint8_t>(), a.output.shape[0],
                              Nchw::of(a.output.shape).image());
  });
}

void ref_vjp_input(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const T* no_bias = nullptr;
    ref::conv2d_vjp_input(sizes_of(op, a), a.grad_output.as<T>(), a.parameters[0].as<T>(), no_bias,
                          a.grad.as<T>());
  });
}

void ref_vjp_weight(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::conv2d_vjp_weight(sizes_of(op, a), a.inputs[0].as<T>(), a.grad_output.as<T>(), a.grad.as<T>());
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
  cpu::convolve(sizes_of(op, a), Direction::forward, a.inputs[0].as<float>(), a.parameters[0].as<float>(),
                bias_of<float>(a), a.activation, a.output.as<float>(), a.saved.as<uint16_t>(), a.workspace);
}

void cpu_vjp_input(const Op& op, const Arguments& a) {
  cpu::convolve(sizes_of(op, a), Direction::vjp_input, a.grad_output.as<float>(), a.parameters[0].as<float>(),
                nullptr, {}, a.grad.as<float>(), nullptr, a.workspace);
}

void cpu_vjp_weight(const Op& op, const Arguments& a) {
  cpu::conv2d_vjp_weight(sizes_of(op, a), a.inputs[0].as<float>(), a.grad_output.as<float>(),
                         a.grad.as<float>());
}

void cpu_vjp_bias(const Op&, const Arguments& a) {
  const Nchw y = Nchw::of(a.grad_output.shape);
  cpu::conv2d_vjp_bias(y.n, y.c, y.h * y.w, a.grad_output.as<float>(), a.grad.as<float>());
}

}  // namespace

const OpKind conv2d_kind{"conv2d",
                         "convolution with stride, padding, dilation and groups",
                         {{Direction::forward, Backend::ref, ref_forward},
                          {Direction::vjp_input, Backend::ref, ref_vjp_input},
                          {Direction::vjp_weight, Backend::ref, ref_vjp_weight},
                          {Direction::vjp_bias, Backend::ref, ref_vjp_bias},
                          {Direction::forward, Backend::cpu, cpu_forward},
                          {Direction::vjp_input, Backend::cpu, cpu_vjp_input},
                          {Direction::vjp_weight, Backend::cpu, cpu_vjp_weight},
                          {Direction::vjp_bias, Backend::cpu, cpu_vjp_bias}}};

OpPtr conv2d(Conv2d config) { return std::make_shared<Conv2dOp>(config); }

}  // namespace loupe
