#include <algorithm>
#include <cmath>
#include <cstdio>

#include "kernels/batch_norm/batch_norm_op.h"

namespace loupe {

namespace {

using namespace batch_norm_calls;
using Role = ParameterSpec::Role;

class RunningBatchNormOp final : public BatchNormOp {
 public:
  using BatchNormOp::BatchNormOp;
  const OpKind& kind() const override;
  Needs needs(Direction direction) const override {
    constexpr uint32_t kStatistics = 1 << kMean | 1 << kVariance;
    if (direction.is_forward()) return {.operands = 1 << kInput | 1 << kWeight | 1 << kBias | kStatistics};
    if (direction == Direction::vjp_input) return {.operands = 1 << kWeight | 1 << kVariance};
    if (direction == Direction::vjp_weight) return {.operands = 1 << kInput | kStatistics};
    return {};
  }
  std::optional<OnWindow> on_window(Shapes) const override { return OnWindow{}; }
  int64_t accumulation_length(Direction direction, Shapes inputs) const override {
    const bool sums = direction == Direction::vjp_weight || direction == Direction::vjp_bias;
    return sums ? inputs[0].numel() / inputs[0][1] : 0;
  }
};

template <typename T>
BatchNormParameters<T> running(const Op& op, const Arguments& a) {
  return parameters_of<T>(op, a, a.inputs[BatchNormOp::kMean].as<T>(),
                          a.inputs[BatchNormOp::kVariance].as<T>());
}

template <Backend backend>
void forward(const Op& op, const Arguments& a) {
  with_type<backend>(a.output,
                     [&](auto t) { batch_norm_calls::forward<backend>(running<decltype(t)>(op, a), a); });
}

template <Backend backend>
void vjp_input(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad.shape);
  with_type<backend>(a.grad, [&](auto t) {
    using T = decltype(t);
    run<backend>(a.queue, ref::batch_norm_vjp_input<T>, cpu::batch_norm_vjp_input,
                 device::batch_norm_vjp_input, running<T>(op, a), a.grad_output.as<T>(), a.grad.as<T>(), s.n,
                 s.c, s.h * s.w);
  });
}

template <Backend backend>
void vjp_weight(const Op& op, const Arguments& a) {
  with_type<backend>(a.grad,
                     [&](auto t) { batch_norm_calls::vjp_weight<backend>(running<decltype(t)>(op, a), a); });
}

void expect_channels(std::string_view op, Op::Shapes inputs) {
  if (inputs.empty()) expect_inputs(op, inputs, 1);
  const Shape& x = inputs[0];
  if ((x.rank() != 2 && x.rank() != 4) || x.numel() == 0)
    throw UsageError(std::string(op) + " takes a non-empty input (N, C, H, W) or (N, C), got " + x.str());
}

}  // namespace

std::string BatchNormOp::describe() const {
  char text[32];
  std::snprintf(text, sizeof text, "eps %g", eps_);
  return text;
}

Shape BatchNormOp::shape(Shapes inputs) const {
  expect_channels(kind().name, inputs);
  expect_parameters(inputs, 1);
  if (!std::isfinite(eps_) || eps_ < 0)
    throw UsageError(std::string(kind().name) + ": eps must be 0 or more and finite, got " + describe());
  return inputs[0];
}

std::vector<ParameterSpec> BatchNormOp::parameters(Shapes given) const {
  expect_channels(kind().name, given);
  const Shape channels{given[0][1]};
  return {{"weight", channels, Role::norm_weight},
          {"bias", channels, Role::norm_bias},
          {"running_mean", channels, Role::norm_mean},
          {"running_var", channels, Role::norm_variance}};
}

Call BatchNormOp::prepare(Backend backend, Direction direction, Shapes inputs, const KernelOptions&) const {
  Call call = table_call(backend, direction);
  const int64_t channels = inputs[0][1], padded = round_up(channels, kBlock);
  const bool device = backend == Backend::cuda || backend == Backend::sim;
  if (device && (direction == Direction::vjp_weight || direction == Direction::vjp_bias)) {
    const Parts parts = parts_of(Nchw::of(inputs[0]));
    call.describe = "a block a channel" + parts.describe(channels);
    call.workspace = parts.scratch_floats(channels) * dtype_bytes(Dtype::f32);
  }
  if (backend != Backend::cpu) return call;
  for (int p = kWeight; p <= kVariance; ++p) {
    if (!(needs(direction).operands >> p & 1)) continue;
    const float padding = p == kVariance ? 1.0f : 0.0f;
    call.packing.push_back({p, padded, padding ? "whole blocks, then ones" : "whole blocks, then zeros",
                            [=](const float* from, float* to) {
                              std::copy(from, from + channels, to);
                              std::fill(to + channels, to + padded, padding);
                            }});
  }
  return call;
}

std::vector<std::string_view> batch_norm_operands() {
  return {"input", "weight", "bias", "running_mean", "running_var"};
}

extern const OpKind batch_norm_kind{
    "batch_norm",
    "a scale and a shift a channel, from running statistics",
    {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
     {Direction::vjp_input, vjp_input<Backend::ref>, vjp_input<Backend::cpu>, vjp_input<Backend::cuda>},
     {Direction::vjp_weight, vjp_weight<Backend::ref>, vjp_weight<Backend::cpu>, vjp_weight<Backend::cuda>},
     {Direction::vjp_bias, vjp_bias<Backend::ref>, vjp_bias<Backend::cpu>, vjp_bias<Backend::cuda>}},
    batch_norm_operands()};

const OpKind& RunningBatchNormOp::kind() const { return batch_norm_kind; }

OpPtr batch_norm(BatchNorm attributes) { return std::make_shared<RunningBatchNormOp>(attributes); }

double batch_norm_eps(const Op& op) {
  const auto* norm = dynamic_cast<const RunningBatchNormOp*>(&op);
  if (!norm) throw Error("expected a batch_norm, got " + std::string(op.kind().name));
  return norm->eps();
}

}  // namespace loupe
