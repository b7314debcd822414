#include "kernels/batch_norm/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace loupe {

namespace {

using Role = ParameterSpec::Role;
enum Index : size_t { kWeight, kBias, kMean, kVariance };  // of Op::parameters

class BatchNormOp final : public Op {
 public:
  explicit BatchNormOp(const BatchNorm& attributes) : eps_(attributes.eps) {}
  const OpKind& kind() const override;
  std::string describe() const override {
    char text[32];
    std::snprintf(text, sizeof text, "eps %g", eps_);
    return text;
  }
  Shape infer(Shapes inputs) const override {
    const std::string op(kind().name);
    expect_inputs(op, inputs, 1);
    const Shape& x = inputs[0];
    if ((x.rank() != 2 && x.rank() != 4) || x.numel() == 0)
      throw UsageError(op + " takes a non-empty input (N, C, H, W) or (N, C), got " + x.str());
    if (!std::isfinite(eps_) || eps_ < 0)
      throw UsageError(op + ": eps must be 0 or more and finite, got " + describe());
    return x;
  }
  std::vector<ParameterSpec> parameters(Shapes inputs) const override {
    const Shape channels{inputs[0][1]};
    return {{"weight", channels, Role::norm_weight},
            {"bias", channels, Role::norm_bias},
            {"running_mean", channels, Role::norm_mean},
            {"running_var", channels, Role::norm_variance}};
  }
  int64_t macs(Shapes inputs) const override { return inputs[0].numel(); }
  bool in_place() const override { return true; }
  Needs needs(Direction direction) const override { return {.inputs = direction == Direction::vjp_weight}; }
  // On the cpu every parameter is padded to whole blocks, so that lanes past the last channel stay zero.
  int64_t packed_size(Backend backend, Direction, Shapes inputs, size_t) const override {
    return backend == Backend::cpu ? round_up(inputs[0][1], kBlock) : 0;
  }
  void pack(Backend backend, Direction direction, Shapes inputs, size_t p, const float* from,
            float* to) const override {
    const int64_t channels = inputs[0][1], size = packed_size(backend, direction, inputs, p);
    std::copy(from, from + channels, to);
    std::fill(to + channels, to + size, p == kVariance ? 1.0f : 0.0f);
  }
  int64_t accumulation_length(Direction direction, Shapes inputs) const override {
    const bool sums = direction == Direction::vjp_weight || direction == Direction::vjp_bias;
    return sums ? inputs[0].numel() / inputs[0][1] : 0;
  }
  double eps() const { return eps_; }

 private:
  double eps_;
};

template <typename T>
BatchNormParameters<T> parameters_of(const Op& op, const Arguments& a) {
  return {static_cast<const BatchNormOp&>(op).eps(), a.parameters[kWeight].as<T>(),
          a.parameters[kBias].as<T>(), a.parameters[kMean].as<T>(), a.parameters[kVariance].as<T>()};
}

void ref_forward(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.output.shape);
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref::batch_norm(parameters_of<T>(op, a), a.inputs[0].as<T>(), a.output.as<T>(), s.n, s.c, s.h * s.w);
  });
}

void ref_vjp_input(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad.shape);
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::batch_norm_vjp_input(parameters_of<T>(op, a), a.grad_output.as<T>(), a.grad.as<T>(), s.n, s.c,
                              s.h * s.w);
  });
}

void ref_vjp_weight(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::batch_norm_vjp_weight(parameters_of<T>(op, a), a.inputs[0].as<T>(), a.grad_output.as<T>(),
                               a.grad.as<T>(), s.n, s.c, s.h * s.w);
  });
}

void ref_vjp_bias(const Op&, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::batch_norm_vjp_bias(a.grad_output.as<T>(), a.grad.as<T>(), s.n, s.c, s.h * s.w);
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.output.shape);
  cpu::batch_norm(parameters_of<float>(op, a), a.inputs[0].as<float>(), a.output.as<float>(), s.n, s.c,
                  s.h * s.w);
}

void cpu_vjp_input(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad.shape);
  cpu::batch_norm_vjp_input(parameters_of<float>(op, a), a.grad_output.as<float>(), a.grad.as<float>(), s.n,
                            s.c, s.h * s.w);
}

void cpu_vjp_weight(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  cpu::batch_norm_vjp_weight(parameters_of<float>(op, a), a.inputs[0].as<float>(), a.grad_output.as<float>(),
                             a.grad.as<float>(), s.n, s.c, s.h * s.w);
}

void cpu_vjp_bias(const Op&, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  cpu::batch_norm_vjp_bias(a.grad_output.as<float>(), a.grad.as<float>(), s.n, s.c, s.h * s.w);
}

void device_forward(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.output.shape);
  device::batch_norm(a.queue, parameters_of<float>(op, a), a.inputs[0].as<float>(), a.output.as<float>(), s.n,
                     s.c, s.h * s.w);
}

void device_vjp_input(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad.shape);
  device::batch_norm_vjp_input(a.queue, parameters_of<float>(op, a), a.grad_output.as<float>(),
                               a.grad.as<float>(), s.n, s.c, s.h * s.w);
}

void device_vjp_weight(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  device::batch_norm_vjp_weight(a.queue, parameters_of<float>(op, a), a.inputs[0].as<float>(),
                                a.grad_output.as<float>(), a.grad.as<float>(), s.n, s.c, s.h * s.w);
}

void device_vjp_bias(const Op&, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  device::batch_norm_vjp_bias(a.queue, a.grad_output.as<float>(), a.grad.as<float>(), s.n, s.c, s.h * s.w);
}

}  // namespace

extern const OpKind batch_norm_kind{
    "batch_norm",
    "a scale and a shift a channel, from running statistics",
    {{Direction::forward, ref_forward, cpu_forward, device_forward},
     {Direction::vjp_input, ref_vjp_input, cpu_vjp_input, device_vjp_input},
     {Direction::vjp_weight, ref_vjp_weight, cpu_vjp_weight, device_vjp_weight},
     {Direction::vjp_bias, ref_vjp_bias, cpu_vjp_bias, device_vjp_bias}}};

const OpKind& BatchNormOp::kind() const { return batch_norm_kind; }

OpPtr batch_norm(BatchNorm attributes) { return std::make_shared<BatchNormOp>(attributes); }

double batch_norm_eps(const Op& op) {
  const auto* norm = dynamic_cast<const BatchNormOp*>(&op);
  if (!norm) throw Error("expected a batch_norm, got " + std::string(op.kind().name));
  return norm->eps();
}

}  // namespace loupe
