#include "kernels/batch_norm_training/batch_norm_training.h"

#include <algorithm>

#include "kernels/batch_norm/batch_norm_op.h"

namespace loupe {

namespace {

using namespace batch_norm_calls;

class BatchNormTrainingOp final : public BatchNormOp {
 public:
  using BatchNormOp::BatchNormOp;
  const OpKind& kind() const override;
  std::optional<Record> record(Shapes inputs) const override { return Record{Dtype::f32, {2, inputs[0][1]}}; }
  Needs needs(Direction direction) const override {
    if (direction.is_forward()) return {.operands = 1 << kInput | 1 << kWeight | 1 << kBias};
    if (direction == Direction::vjp_input) return {.operands = 1 << kInput | 1 << kWeight, .record = true};
    if (direction == Direction::vjp_weight) return {.operands = 1 << kInput, .record = true};
    return {};
  }
  Call prepare(Backend backend, Direction direction, Shapes inputs,
               const KernelOptions& options) const override {
    Call call = BatchNormOp::prepare(backend, direction, inputs, options);
    const Nchw s = Nchw::of(inputs[0]);
    if (backend == Backend::ref || backend == Backend::cpu) {
      call.workspace = host_workspace(backend, direction, s);
    } else if (direction.is_forward() || direction == Direction::vjp_input) {
      const Parts parts = parts_of(s);
      call.describe = "sums by a block a channel" + parts.describe(s.c);
      const int64_t sums = direction.is_forward() ? s.c : 2 * s.c;
      call.workspace = (2 * s.c + parts.scratch_floats(sums)) * dtype_bytes(Dtype::f32);
    }
    return call;
  }
  int64_t accumulation_length(Direction, Shapes inputs) const override {
    return inputs[0].numel() / inputs[0][1];
  }

 private:
  // The statistics, so that forward has them where no tape is kept, then the kernels' scratch.
  static int64_t host_workspace(Backend backend, Direction direction, const Nchw& s) {
    if (direction == Direction::vjp_bias) return 0;
    if (backend == Backend::ref) return 2 * s.c * dtype_bytes(Dtype::f64);
    return (2 * round_up(s.c, kBlock) + cpu::batch_norm_scratch(s.n, s.c, s.h * s.w)) *
           dtype_bytes(Dtype::f32);
  }
};

// Where forward puts the statistics on ref and on a device.
template <typename T>
T* statistics(const Arguments& a) {
  return a.record ? a.record.as<T>() : reinterpret_cast<T*>(a.workspace.data());
}

// On the cpu the record's padding is zero, but that of a kernel's variance is one, so it works on a copy.
float* cpu_statistics(const Arguments& a) { return reinterpret_cast<float*>(a.workspace.data()); }
float* cpu_scratch(const Arguments& a, int64_t c) { return cpu_statistics(a) + 2 * round_up(c, kBlock); }

// A device's workspace: the statistics, or the two sums of a channel, then the parts of sums.
float* device_sums(const Arguments& a) { return reinterpret_cast<float*>(a.workspace.data()); }

// batch_norm's parameters with the record's statistics in the place of the running ones.
template <Backend backend, typename T>
BatchNormParameters<T> recorded(const Op& op, const Arguments& a) {
  const int64_t c = a.record.shape[1], padded = round_up(c, kBlock);
  if constexpr (backend == Backend::cpu) {
    float* to = cpu_statistics(a);
    std::copy_n(a.record.as<float>(), 2 * padded, to);
    std::fill(to + padded + c, to + 2 * padded, 1.0f);
    return parameters_of<T>(op, a, to, to + padded);
  } else {
    return parameters_of<T>(op, a, a.record.as<T>(), a.record.as<T>() + c);
  }
}

void ref_forward(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.output.shape);
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    T *mean = statistics<T>(a), *variance = mean + s.c;
    ref::batch_norm_statistics(a.inputs[0].as<T>(), mean, variance, s.n, s.c, s.h * s.w);
    forward<Backend::ref>(parameters_of<T>(op, a, mean, variance), a);
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.output.shape);
  const int64_t padded = round_up(s.c, kBlock);
  float *mean = cpu_statistics(a), *variance = mean + padded;
  cpu::batch_norm_statistics(a.inputs[0].as<float>(), mean, variance, s.n, s.c, s.h * s.w,
                             cpu_scratch(a, s.c));
  if (a.record) {
    std::copy_n(mean, 2 * padded, a.record.as<float>());
    std::fill_n(a.record.as<float>() + padded + s.c, padded - s.c, 0.0f);
  }
  forward<Backend::cpu>(parameters_of<float>(op, a, mean, variance), a);
}

void device_forward(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.output.shape);
  const Parts parts = parts_of(s);
  const float* x = a.inputs[0].as<float>();
  float *mean = statistics<float>(a), *variance = mean + s.c, *scratch = device_sums(a) + 2 * s.c;
  device::channel_sums(a.queue, parts, s.c, static_cast<float>(s.n * s.h * s.w), x, mean, scratch);
  device::batch_norm_variance(a.queue, parts, x, mean, variance, s.c, scratch);
  forward<Backend::cuda>(parameters_of<float>(op, a, mean, variance), a);
}

template <Backend backend>
void vjp_input(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad.shape);
  with_type<backend>(a.grad, [&](auto t) {
    using T = decltype(t);
    const auto p = recorded<backend, T>(op, a);
    if constexpr (backend == Backend::ref)
      ref::batch_norm_training_vjp_input(p, a.inputs[0].as<T>(), a.grad_output.as<T>(), a.grad.as<T>(), s.n,
                                         s.c, s.h * s.w);
    else if constexpr (backend == Backend::cpu)
      cpu::batch_norm_training_vjp_input(p, a.inputs[0].as<T>(), a.grad_output.as<T>(), a.grad.as<T>(), s.n,
                                         s.c, s.h * s.w, cpu_scratch(a, s.c));
    else
      device::batch_norm_training_vjp_input(a.queue, parts_of(s), p, a.inputs[0].as<T>(),
                                            a.grad_output.as<T>(), a.grad.as<T>(), s.c, device_sums(a),
                                            device_sums(a) + 2 * s.c);
  });
}

template <Backend backend>
void vjp_weight(const Op& op, const Arguments& a) {
  with_type<backend>(a.grad, [&](auto t) {
    batch_norm_calls::vjp_weight<backend>(recorded<backend, decltype(t)>(op, a), a);
  });
}

}  // namespace

extern const OpKind batch_norm_training_kind{
    "batch_norm_training",
    "a scale and a shift a channel, from the batch's own statistics",
    {{Direction::forward, ref_forward, cpu_forward, device_forward},
     {Direction::vjp_input, vjp_input<Backend::ref>, vjp_input<Backend::cpu>, vjp_input<Backend::cuda>},
     {Direction::vjp_weight, vjp_weight<Backend::ref>, vjp_weight<Backend::cpu>, vjp_weight<Backend::cuda>},
     {Direction::vjp_bias, vjp_bias<Backend::ref>, vjp_bias<Backend::cpu>, vjp_bias<Backend::cuda>}},
    batch_norm_operands()};

const OpKind& BatchNormTrainingOp::kind() const { return batch_norm_training_kind; }

OpPtr batch_norm_training(BatchNorm attributes) { return std::make_shared<BatchNormTrainingOp>(attributes); }

}  // namespace loupe
