#include "kernels/conv2d/convolution_op.h"

#include <algorithm>
#include <utility>

#include "kernels/conv2d/by_library.h"
#include "kernels/conv2d/direct/few_channels.h"
#include "kernels/conv2d/direct/one_cell.h"
#include "kernels/conv2d/direct/tap_convolution.h"
#include "kernels/conv2d/winograd/winograd.h"
#include "kernels/elementwise/elementwise.h"

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

ConvSizes ConvolutionOp::sizes(const Shape& input) const {
  Nchw x = Nchw::of(input), y = Nchw::of(shape({&input, 1}));
  if (adjoint_) std::swap(x, y);
  const Conv2d& c = config_;
  return {x.n, x.c, x.h, x.w, y.c, y.h, y.w, c.kernel, c.stride, c.padding, c.dilation, c.groups};
}

Direction ConvolutionOp::convolution_direction(Direction d) const {
  if (adjoint_ && d == Direction::forward) return Direction::vjp_input;
  if (adjoint_ && d == Direction::vjp_input) return Direction::forward;
  return d;
}

void ConvolutionOp::check_operands(Shapes inputs) const {
  const std::string name(kind_.name);
  if (inputs.empty() || inputs.size() > 3)
    throw UsageError(name + " takes an input, a weight and a bias, got " + std::to_string(inputs.size()) +
                     " operands");
  if (inputs.size() == 1) return;
  const std::vector<ParameterSpec> wanted = parameters(inputs.subspan(0, 1));
  if (inputs[1] != wanted[0].shape)
    throw UsageError(name + ": the weight is " + inputs[1].str() + ", but an input " + inputs[0].str() +
                     " wants " + wanted[0].shape.str());
  if (inputs.size() == 3 && inputs[2] != Shape{config_.out_channels})
    throw UsageError(name + ": the bias is " + inputs[2].str() + ", not (" +
                     std::to_string(config_.out_channels) + ")");
}

std::vector<ParameterSpec> ConvolutionOp::parameters(Shapes given) const {
  const ConvSizes s = sizes(given[0]);
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

namespace {

// All that a weight's packed form depends on but its values. Of the sizes of a map only those count that
// change how the loop nest is cut, and padding where it says which taps a phase has.
std::string format_of(const std::string& kernel, const ConvSizes& s, Direction d) {
  const auto pair = [](Pair p) { return " " + p.str(); };
  const bool forward = d == Direction::forward;
  return kernel + (forward ? " forward" : " adjoint" + pair(s.padding)) + pair(s.kernel) + pair(s.stride) +
         pair(s.dilation) + " groups " + std::to_string(s.groups);
}

void cpu_forward_winograd(const ConvSizes& s, const Arguments& a, Direction d) {
  const bool forward = a.direction == Direction::forward;
  cpu::winograd_convolve(s, d, (forward ? a.inputs[0] : a.grad_output).as<float>(), a.inputs[1].as<float>(),
                         forward ? bias_of<float>(a) : nullptr, a.epilogue, a.residual.as<float>(),
                         (forward ? a.output : a.grad).as<float>(), a.epilogue_record.data, a.workspace);
}

void cpu_one_cell(const ConvSizes& s, const Arguments& a, Direction conv) {
  const bool forward = a.direction == Direction::forward;
  cpu::one_cell_convolve(s, conv, (forward ? a.inputs[0] : a.grad_output).as<float>(),
                         a.inputs[1].as<float>(), forward ? bias_of<float>(a) : nullptr, a.epilogue,
                         a.residual.as<float>(), (forward ? a.output : a.grad).as<float>(),
                         a.epilogue_record.data);
}

void cpu_few_channels(const ConvSizes& s, const Arguments& a) {
  const bool forward = a.direction == Direction::forward;  // of a transposed convolution
  cpu::few_channels_vjp_input(s, (forward ? a.inputs[0] : a.grad_output).as<float>(), a.inputs[1].as<float>(),
                              forward ? bias_of<float>(a) : nullptr, a.epilogue, a.residual.as<float>(),
                              (forward ? a.output : a.grad).as<float>(), a.epilogue_record.data, a.workspace);
}

// On a device: sums of channels, or of the columns of a matrix where the maps are single pixels.
struct BiasSums {
  explicit BiasSums(const Nchw& y)
      : channels(y.c),
        columns(y.h * y.w == 1),
        parts(columns ? Parts::of_rows(y.n, 1, y.c) : Parts::of_channels(y.n, y.c, y.h * y.w)) {}
  std::string describe() const {
    return columns ? "a block for 32 columns" + parts.describe(ceil_div(channels, 32))
                   : "a block a channel" + parts.describe(channels);
  }
  void run(const Arguments& a) const {
    auto* scratch = reinterpret_cast<float*>(a.workspace.data());
    const float* gy = a.grad_output.as<float>();
    if (columns) return device::column_sums(a.queue, parts, channels, gy, a.grad.as<float>(), scratch);
    device::channel_sums(a.queue, parts, channels, 1.0f, gy, a.grad.as<float>(), scratch);
  }

  int64_t channels;
  bool columns;
  Parts parts;
};

void device_by_library(const ConvSizes& s, const Arguments& a, Direction d) {
  const bool forward = a.direction == Direction::forward;
  device::conv2d_by_library(a.queue, s, d, (forward ? a.inputs[0] : a.grad_output).as<float>(),
                            a.inputs[1].as<float>(), forward ? bias_of<float>(a) : nullptr, a.epilogue,
                            a.residual.as<float>(), (forward ? a.output : a.grad).as<float>(),
                            a.epilogue_record.data);
}

}  // namespace

Call ConvolutionOp::prepare(Backend b, Direction d, Shapes inputs, const KernelOptions& options) const {
  Call call = table_call(b, d);
  if (b == Backend::ref || (b == Backend::cpu && d == Direction::vjp_bias)) return call;
  const ConvSizes s = sizes(inputs[0]);
  call = b == Backend::cpu ? prepare_cpu(d, s, options, std::move(call))
                           : prepare_device(b, d, s, options, std::move(call));
  if (b == Backend::cpu && d == Direction::forward && inputs.size() > 2)
    call.packing.push_back({2, round_up(config_.out_channels, kBlock), "blocks of 16",
                            [channels = config_.out_channels](const float* from, float* to) {
                              std::fill_n(to, round_up(channels, kBlock), 0.0f);
                              std::copy_n(from, channels, to);
                            }});
  return call;
}

Call ConvolutionOp::prepare_cpu(Direction d, const ConvSizes& s, const KernelOptions& options,
                                Call call) const {
  const Direction conv = convolution_direction(d);
  if (options.winograd && !adjoint_ && !is_linear() && cpu::winograd_fits(s)) {
    call.describe = "Winograd F(4×4, 3×3), a product for each of 36 positions";
    call.tile = 4;
    call.workspace = cpu::winograd_workspace(s, d);
    if (d == Direction::vjp_weight) {
      call.run = [s](const Arguments& a) {
        cpu::winograd_vjp_weight(s, a.inputs[0].as<float>(), a.grad_output.as<float>(), a.grad.as<float>(),
                                 a.workspace);
      };
      return call;
    }
    call.packing.push_back({1, cpu::winograd_packed_size(s, d), format_of("winograd", s, d),
                            [s, d](const float* from, float* to) { cpu::winograd_pack(s, d, from, to); }});
    call.run = [s, d](const Arguments& a) { cpu_forward_winograd(s, a, d); };
    return call;
  }
  if (d == Direction::vjp_weight) return call;
  if (!is_linear() && cpu::one_cell_fits(s)) {
    call.describe = "dot products, 16 sums each (1×1 maps)";
    call.tile = 0;
    call.packing.push_back(
        {1, cpu::one_cell_packed_size(s), format_of("one cell", s, conv),
         [s, conv](const float* from, float* to) { cpu::one_cell_pack(s, conv, from, to); }});
    call.run = [s, conv](const Arguments& a) { cpu_one_cell(s, a, conv); };
    return call;
  }
  if (conv == Direction::vjp_input && cpu::few_channels_fits(s)) {
    call.describe = "a product of " + std::to_string(s.kernel.h * s.kernel.w * s.c) +
                    " lanes for each cell (few channels), then sums of neighbours";
    call.workspace = cpu::few_channels_workspace(s);
    call.tile = {1, cpu::few_channels_period(s)};
    call.packing.push_back({1, cpu::few_channels_packed_size(s),
                            format_of("few channels", s, Direction::forward),
                            [s](const float* from, float* to) { cpu::few_channels_pack(s, from, to); }});
    call.run = [s](const Arguments& a) { cpu_few_channels(s, a); };
    return call;
  }
  const cpu::TapConvolution taps = conv == Direction::forward ? cpu::forward_taps(s) : cpu::vjp_input_taps(s);
  call.describe = cpu::conv2d_algorithm(s, conv);
  call.workspace = cpu::conv2d_workspace(s, conv);
  call.packing.push_back({1, taps.packed_size(),
                          format_of("taps", s, conv) + " phases " + std::to_string(taps.phases.size()) +
                              " steps " + std::to_string(taps.steps.size()),
                          [s, conv](const float* from, float* to) { cpu::conv2d_pack(s, conv, from, to); }});
  return call;
}

Call ConvolutionOp::prepare_device(Backend b, Direction d, const ConvSizes& s, const KernelOptions& options,
                                   Call call) const {
  const Direction conv = convolution_direction(d);
  if (d == Direction::vjp_bias) {
    const BiasSums sums(adjoint_ ? Nchw{s.n, s.c, s.h, s.w} : Nchw{s.n, s.k, s.oh, s.ow});
    call.workspace = sums.parts.scratch_floats(config_.out_channels) * dtype_bytes(Dtype::f32);
    call.describe = sums.describe();
    return call;
  }
  if (options.library_convolution && b == Backend::cuda && !is_linear()) {
    call.describe = "cuDNN, the fastest of its float32 algorithms";
    call.tile = 0;
    if (d == Direction::vjp_weight)
      call.run = [s, swap = adjoint_](const Arguments& a) {
        const float *x = a.inputs[0].as<float>(), *gy = a.grad_output.as<float>();
        if (swap) std::swap(x, gy);
        device::conv2d_vjp_weight_by_library(a.queue, s, x, gy, a.grad.as<float>());
      };
    else
      call.run = [s, conv](const Arguments& a) { device_by_library(s, a, conv); };
    return call;
  }
  call.describe = device::conv2d_algorithm(s, conv);
  if (d == Direction::vjp_weight) {
    call.workspace = device::conv2d_parts(s).scratch_floats(s.weight_size()) * dtype_bytes(Dtype::f32);
    return call;
  }
  if (const int64_t floats = device::conv2d_packed_size(s, conv); floats > 0)
    call.packing.push_back(
        {1, floats,
         format_of("tiles", s, conv) + " pitch " +
             std::to_string(device::conv2d_pitch(s, conv, device::conv2d_tile(s, conv))),
         [s, conv](const float* from, float* to) { device::conv2d_pack(s, conv, from, to); }});
  return call;
}

int64_t ConvolutionOp::accumulation_length(Direction d, Shapes inputs) const {
  const ConvSizes s = sizes(inputs[0]);
  const int64_t taps = s.kernel.h * s.kernel.w;
  if (d == Direction::forward)  // and the bias
    return (adjoint_ ? s.group_k() : s.group_c()) * taps + 1;
  if (d == Direction::vjp_input) return (adjoint_ ? s.group_c() : s.group_k()) * taps;
  if (d == Direction::vjp_weight) return s.n * s.oh * s.ow;
  return adjoint_ ? s.n * s.h * s.w : s.n * s.oh * s.ow;  // vjp_bias
}

namespace {

const ConvolutionOp& self(const Op& op) { return static_cast<const ConvolutionOp&>(op); }

// conv2d's kernel for direction `d` of the op, forward or vjp_input; then the epilogue.
template <typename T>
void ref_convolve(const Op& op, Direction d, const Arguments& a, const T* from, const T* bias,
                  const Array& to) {
  const ConvSizes s = self(op).sizes(a.inputs[0].shape);
  const T* weight = a.inputs[1].as<T>();
  if (self(op).convolution_direction(d) == Direction::forward)
    ref::conv2d_forward(s, from, weight, bias, to.as<T>());
  else
    ref::conv2d_vjp_input(s, from, weight, bias, to.as<T>());
  if (a.epilogue) finish(Backend::ref, {}, a.epilogue, to, a.residual, to, a.epilogue_record);
}

void ref_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref_convolve(op, Direction::forward, a, a.inputs[0].as<T>(), bias_of<T>(a), a.output);
  });
}

void ref_vjp_input(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const T* no_bias = nullptr;
    ref_convolve(op, Direction::vjp_input, a, a.grad_output.as<T>(), no_bias, a.grad);
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
                  float* to) {
  const ConvSizes s = self(op).sizes(a.inputs[0].shape);
  cpu::convolve(s, self(op).convolution_direction(d), from, a.inputs[1].as<float>(), bias, a.epilogue,
                a.residual.as<float>(), to, a.epilogue_record.data, a.workspace);
}

void cpu_forward(const Op& op, const Arguments& a) {
  cpu_convolve(op, Direction::forward, a, a.inputs[0].as<float>(), bias_of<float>(a), a.output.as<float>());
}

void cpu_vjp_input(const Op& op, const Arguments& a) {
  cpu_convolve(op, Direction::vjp_input, a, a.grad_output.as<float>(), nullptr, a.grad.as<float>());
}

void cpu_vjp_weight(const Op& op, const Arguments& a) {
  const float *x = a.inputs[0].as<float>(), *gy = a.grad_output.as<float>();
  if (self(op).adjoint()) std::swap(x, gy);
  cpu::conv2d_vjp_weight(self(op).sizes(a.inputs[0].shape), x, gy, a.grad.as<float>());
}

void cpu_vjp_bias(const Op&, const Arguments& a) {
  const Nchw y = Nchw::of(a.grad_output.shape);
  cpu::conv2d_vjp_bias(y.n, y.c, y.h * y.w, a.grad_output.as<float>(), a.grad.as<float>());
}

// ---- cuda and sim

void device_convolve(const Op& op, Direction d, const Arguments& a, const float* from, const float* bias,
                     float* to) {
  const ConvSizes s = self(op).sizes(a.inputs[0].shape);
  const Direction direction = self(op).convolution_direction(d);
  device::conv2d_convolve(a.queue, s, direction, device::conv2d_tile(s, direction), from,
                          a.inputs[1].as<float>(), bias, a.epilogue, a.residual.as<float>(), to,
                          a.epilogue_record.data);
}

void device_forward(const Op& op, const Arguments& a) {
  device_convolve(op, Direction::forward, a, a.inputs[0].as<float>(), bias_of<float>(a),
                  a.output.as<float>());
}

void device_vjp_input(const Op& op, const Arguments& a) {
  device_convolve(op, Direction::vjp_input, a, a.grad_output.as<float>(), nullptr, a.grad.as<float>());
}

void device_vjp_weight(const Op& op, const Arguments& a) {
  const float *x = a.inputs[0].as<float>(), *gy = a.grad_output.as<float>();
  if (self(op).adjoint()) std::swap(x, gy);
  const ConvSizes s = self(op).sizes(a.inputs[0].shape);
  device::conv2d_vjp_weight(a.queue, s, device::conv2d_tile(s, Direction::vjp_weight),
                            device::conv2d_parts(s), x, gy, a.grad.as<float>(),
                            reinterpret_cast<float*>(a.workspace.data()));
}

void device_vjp_bias(const Op&, const Arguments& a) { BiasSums(Nchw::of(a.grad_output.shape)).run(a); }

}  // namespace

std::vector<OpKind::Row> convolution_kernels() {
  return {{Direction::forward, ref_forward, cpu_forward, device_forward},
          {Direction::vjp_input, ref_vjp_input, cpu_vjp_input, device_vjp_input},
          {Direction::vjp_weight, ref_vjp_weight, cpu_vjp_weight, device_vjp_weight},
          {Direction::vjp_bias, ref_vjp_bias, cpu_vjp_bias, device_vjp_bias}};
}

}  // namespace loupe
