#include "kernels/conv2d/convolution_op.h"

#include <algorithm>
#include <utility>

#include "kernels/conv2d/by_library.h"
#include "kernels/conv2d/winograd/winograd.h"
#include "kernels/relu/relu.h"

namespace loupe {

std::string ConvolutionOp::describe() const {
  const Conv2d& c = config_;
  const auto size = [](Pair p) { return p.h == p.w ? std::to_string(p.h) : p.str(); };
  std::string text = std::to_string(c.out_channels) + ", " + c.kernel.str();
  if (c.stride != Pair(1)) text += ", stride " + size(c.stride);
  if (c.padding != Pair(0)) text += ", padding " + size(c.padding);
  if (c.dilation != Pair(1)) text += ", dilation " + size(c.dilation);
  if (c.groups != 1) text += ", groups " + std::to_string(c.groups);
  if (!c.bias) text += ", no bias";
  return text;
}

void ConvolutionOp::check_configuration(int64_t in_channels) const {
  const Conv2d& c = config_;
  const auto refuse = [&](const std::string& what) {
    throw UsageError(std::string(kind_.name) + ": " + what);
  };
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
  check_elements("weight", {c.out_channels, in_channels / c.groups, c.kernel.h, c.kernel.w});
}

void ConvolutionOp::check_elements(std::string_view array, std::initializer_list<int64_t> dims) const {
  constexpr int64_t kMost = int64_t{1} << 40;
  int64_t elements = 1;
  for (const int64_t d : dims) {
    if (elements > kMost / d)
      throw UsageError(std::string(kind_.name) + ": the " + std::string(array) +
                       " would have more than 2^40 elements");
    elements *= d;
  }
}

bool ConvolutionOp::by_cudnn(Backend b) const { return !is_linear() && device::convolves_by_library(b); }

bool ConvolutionOp::by_winograd(Backend b, const ConvSizes& s) const {
  return b == Backend::cpu && config_.winograd && !adjoint_ && cpu::winograd_fits(s);
}

ConvSizes ConvolutionOp::sizes(const Shape& input) const {
  Nchw x = Nchw::of(input), y = Nchw::of(infer({&input, 1}));
  if (adjoint_) std::swap(x, y);
  const Conv2d& c = config_;
  return {x.n, x.c, x.h, x.w, y.c, y.h, y.w, c.kernel, c.stride, c.padding, c.dilation, c.groups};
}

Direction ConvolutionOp::convolution_direction(Direction d) const {
  if (adjoint_ && d == Direction::forward) return Direction::vjp_input;
  if (adjoint_ && d == Direction::vjp_input) return Direction::forward;
  return d;
}

std::vector<ParameterSpec> ConvolutionOp::parameters(Shapes inputs) const {
  const ConvSizes s = sizes(inputs[0]);
  std::vector<ParameterSpec> list{
      {"weight", {s.k, s.group_c(), s.kernel.h, s.kernel.w}, ParameterSpec::Role::weight}};
  if (config_.bias) list.push_back({"bias", {config_.out_channels}, ParameterSpec::Role::bias});
  return list;
}

int64_t ConvolutionOp::macs(Shapes inputs) const {
  const ConvSizes s = sizes(inputs[0]);
  return s.n * s.oh * s.ow * s.weight_size();
}

std::optional<int> ConvolutionOp::folds_batch_norm() const {
  if (!adjoint_) return 0;
  return config_.groups == 1 ? std::optional<int>(1) : std::nullopt;
}

// The weight in the format of tap_convolution.h or conv2d.cu; on the CPU the bias, for forward alone, padded
// with zeros to whole blocks.
int64_t ConvolutionOp::packed_size(Backend b, Direction d, Shapes inputs, size_t p) const {
  if (!convolves(b, d)) return 0;
  if (by_cudnn(b)) return 0;
  const ConvSizes s = sizes(inputs[0]);
  if (b != Backend::cpu) return p == 0 ? device::conv2d_packed_size(s, convolution_direction(d)) : 0;
  if (p == 0 && by_winograd(b, s)) return cpu::winograd_packed_size(s, d);
  if (p == 0) return cpu::conv2d_packed_size(s, convolution_direction(d));
  return d == Direction::forward ? round_up(config_.out_channels, kBlock) : 0;
}

void ConvolutionOp::pack(Backend b, Direction d, Shapes inputs, size_t p, const float* from,
                         float* to) const {
  const ConvSizes s = sizes(inputs[0]);
  if (b != Backend::cpu) return device::conv2d_pack(s, convolution_direction(d), from, to);
  if (p == 0 && by_winograd(b, s)) return cpu::winograd_pack(s, d, from, to);
  if (p == 0) return cpu::conv2d_pack(s, convolution_direction(d), from, to);
  std::fill_n(to, round_up(config_.out_channels, kBlock), 0.0f);
  std::copy_n(from, config_.out_channels, to);
}

int64_t ConvolutionOp::workspace_bytes(Backend b, Direction d, Shapes inputs) const {
  if (b != Backend::cpu || d == Direction::vjp_bias) return 0;
  const ConvSizes s = sizes(inputs[0]);
  if (by_winograd(b, s)) return cpu::winograd_workspace(s, d);
  return convolves(b, d) ? cpu::conv2d_workspace(s, convolution_direction(d)) : 0;
}

std::string ConvolutionOp::algorithm(Backend b, Direction d, Shapes inputs) const {
  const bool on_device = b == Backend::cuda || b == Backend::sim;
  if (d != Direction::vjp_bias && by_winograd(b, sizes(inputs[0])))
    return "Winograd F(4×4, 3×3), a product for each of 36 positions";
  if (by_cudnn(b) && d != Direction::vjp_bias) return "cuDNN, the fastest of its float32 algorithms";
  if (on_device && d != Direction::vjp_bias)
    return device::conv2d_algorithm(sizes(inputs[0]), convolution_direction(d));
  return convolves(b, d) ? cpu::conv2d_algorithm(sizes(inputs[0]), convolution_direction(d)) : "direct";
}

int64_t ConvolutionOp::accumulation_length(Direction d, Shapes inputs) const {
  const ConvSizes s = sizes(inputs[0]);
  const int64_t taps = s.kernel.h * s.kernel.w;
  switch (d) {
    case Direction::forward:  // and the bias
      return (adjoint_ ? s.group_k() : s.group_c()) * taps + 1;
    case Direction::vjp_input:
      return (adjoint_ ? s.group_c() : s.group_k()) * taps;
    case Direction::vjp_weight:
      return s.n * s.oh * s.ow;
    case Direction::vjp_bias:
      return adjoint_ ? s.n * s.h * s.w : s.n * s.oh * s.ow;
  }
  return 0;
}

namespace {

const ConvolutionOp& self(const Op& op) { return static_cast<const ConvolutionOp&>(op); }

// conv2d's kernel for direction `d` of the op: forward or vjp_input.
template <typename T>
void ref_convolve(const Op& op, Direction d, const Arguments& a, const T* from, const T* bias, T* to) {
  const ConvSizes s = self(op).sizes(a.inputs[0].shape);
  const T* weight = a.parameters[0].as<T>();
  if (self(op).convolution_direction(d) == Direction::forward)
    ref::conv2d_forward(s, from, weight, bias, to);
  else
    ref::conv2d_vjp_input(s, from, weight, bias, to);
}

void ref_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref_convolve(op, Direction::forward, a, a.inputs[0].as<T>(), bias_of<T>(a), a.output.as<T>());
  });
  ref_activate_output(a);
}

void ref_vjp_input(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const T* no_bias = nullptr;
    ref_convolve(op, Direction::vjp_input, a, a.grad_output.as<T>(), no_bias, a.grad.as<T>());
  });
}

void ref_vjp_weight(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const T *x = a.inputs[0].as<T>(), *gy = a.grad_output.as<T>();
    if (self(op).adjoint()) std::swap(x, gy);
    ref::conv2d_vjp_weight(self(op).sizes(a.inputs[0].shape), x, gy, a.grad.as<T>());
  });
}

void ref_vjp_bias(const Op&, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const Nchw y = Nchw::of(a.grad_output.shape);
    ref::conv2d_vjp_bias(y.n, y.c, y.h * y.w, a.grad_output.as<T>(), a.grad.as<T>());
  });
}

// conv2d's kernel for direction `d` of the op, forward or vjp_input.
void cpu_convolve(const Op& op, Direction d, const Arguments& a, const float* from, const float* bias,
                  float* to, uint16_t* mask) {
  const ConvSizes s = self(op).sizes(a.inputs[0].shape);
  const auto& convolve = self(op).by_winograd(Backend::cpu, s) ? cpu::winograd_convolve : cpu::convolve;
  convolve(s, self(op).convolution_direction(d), from, a.parameters[0].as<float>(), bias, a.activation, to,
           mask, a.workspace);
}

void cpu_forward(const Op& op, const Arguments& a) {
  cpu_convolve(op, Direction::forward, a, a.inputs[0].as<float>(), bias_of<float>(a), a.output.as<float>(),
               a.saved.as<uint16_t>());
}

void cpu_vjp_input(const Op& op, const Arguments& a) {
  cpu_convolve(op, Direction::vjp_input, a, a.grad_output.as<float>(), nullptr, a.grad.as<float>(), nullptr);
}

void cpu_vjp_weight(const Op& op, const Arguments& a) {
  const float *x = a.inputs[0].as<float>(), *gy = a.grad_output.as<float>();
  if (self(op).adjoint()) std::swap(x, gy);
  const ConvSizes s = self(op).sizes(a.inputs[0].shape);
  if (self(op).by_winograd(Backend::cpu, s))
    return cpu::winograd_vjp_weight(s, x, gy, a.grad.as<float>(), a.workspace);
  cpu::conv2d_vjp_weight(s, x, gy, a.grad.as<float>());
}

void cpu_vjp_bias(const Op&, const Arguments& a) {
  const Nchw y = Nchw::of(a.grad_output.shape);
  cpu::conv2d_vjp_bias(y.n, y.c, y.h * y.w, a.grad_output.as<float>(), a.grad.as<float>());
}

// ---- cuda and sim

void device_convolve(const Op& op, Direction d, const Arguments& a, const float* from, const float* bias,
                     Activation activation, float* to) {
  const ConvSizes s = self(op).sizes(a.inputs[0].shape);
  const Direction direction = self(op).convolution_direction(d);
  const float* weight = a.parameters[0].as<float>();
  if (self(op).by_cudnn(a.queue.module->backend()))
    return device::conv2d_by_library(a.queue, s, direction, from, weight, bias, activation, to);
  const auto& product = self(op).is_linear() ? device::linear_product : device::conv2d_convolve;
  product(a.queue, s, direction, device::conv2d_tile(s, direction), from, weight, bias, activation, to);
}

void device_forward(const Op& op, const Arguments& a) {
  float* y = a.output.as<float>();
  // A tape wants the mask of what goes into the activation, bit by bit: that is a pass of its own.
  const bool taped = a.activation && a.saved;
  device_convolve(op, Direction::forward, a, a.inputs[0].as<float>(), bias_of<float>(a),
                  taped ? Activation{} : a.activation, y);
  if (taped)
    device::activation_forward(a.queue, a.activation, y, y, a.saved.as<uint8_t>(), a.output.shape[0],
                               Nchw::of(a.output.shape).image());
}

void device_vjp_input(const Op& op, const Arguments& a) {
  device_convolve(op, Direction::vjp_input, a, a.grad_output.as<float>(), nullptr, {}, a.grad.as<float>());
}

void device_vjp_weight(const Op& op, const Arguments& a) {
  const float *x = a.inputs[0].as<float>(), *gy = a.grad_output.as<float>();
  if (self(op).adjoint()) std::swap(x, gy);
  const ConvSizes s = self(op).sizes(a.inputs[0].shape);
  if (self(op).by_cudnn(a.queue.module->backend()))
    return device::conv2d_vjp_weight_by_library(a.queue, s, x, gy, a.grad.as<float>());
  device::conv2d_vjp_weight(a.queue, s, device::conv2d_tile(s, Direction::vjp_weight), x, gy,
                            a.grad.as<float>());
}

void device_vjp_bias(const Op&, const Arguments& a) {
  const Nchw y = Nchw::of(a.grad_output.shape);
  device::conv2d_vjp_bias(a.queue, y.n, y.c, y.h * y.w, a.grad_output.as<float>(), a.grad.as<float>());
}

}  // namespace

std::vector<OpKind::Row> convolution_kernels() {
  return {{Direction::forward, ref_forward, cpu_forward, device_forward},
          {Direction::vjp_input, ref_vjp_input, cpu_vjp_input, device_vjp_input},
          {Direction::vjp_weight, ref_vjp_weight, cpu_vjp_weight, device_vjp_weight},
          {Direction::vjp_bias, ref_vjp_bias, cpu_vjp_bias, device_vjp_bias}};
}

void ref_activate_output(const Arguments& a) {
  if (!a.activation) return;
  with_float_type(a.output.dtype, [&](auto t) {
    auto* y = a.output.as<decltype(t)>();
    ref::activation_forward(a.activation, y, y, a.saved.as<uint8_t>(), a.output.shape[0],
                            Nchw::of(a.output.shape).image());
  });
}

}  // namespace loupe
