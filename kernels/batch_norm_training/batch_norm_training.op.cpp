#include "kernels/batch_norm_training/batch_norm_training.h"

#include <algorithm>

namespace loupe {

namespace {

enum Index : size_t { kWeight, kBias };  // of Op::parameters

class BatchNormTrainingOp final : public Op {
 public:
  explicit BatchNormTrainingOp(const BatchNorm& attributes)
      : inference_(batch_norm(attributes)), eps_(attributes.eps) {}
  const OpKind& kind() const override;
  std::string describe() const override { return inference_->describe(); }
  Shape infer(Shapes inputs) const override { return inference_->infer(inputs); }
  std::vector<ParameterSpec> parameters(Shapes inputs) const override {
    return inference_->parameters(inputs);
  }
  int64_t macs(Shapes inputs) const override { return inference_->macs(inputs); }
  bool in_place() const override { return true; }
  std::optional<Saved> saved(Shapes inputs) const override { return Saved{Dtype::f32, {2, inputs[0][1]}}; }
  Needs needs(Direction direction) const override {
    const bool normalised = direction == Direction::vjp_input || direction == Direction::vjp_weight;
    return {.inputs = normalised, .saved = normalised};
  }
  int64_t packed_size(Backend backend, Direction direction, Shapes inputs, size_t p) const override {
    return inference_->packed_size(backend, direction, inputs, p);
  }
  void pack(Backend backend, Direction direction, Shapes inputs, size_t p, const float* from,
            float* to) const override {
    inference_->pack(backend, direction, inputs, p, from, to);
  }
  // The statistics, so that forward has them where no tape is kept, then the kernels' scratch.
  int64_t workspace_bytes(Backend backend, Direction direction, Shapes inputs) const override {
    if (direction == Direction::vjp_bias) return 0;
    const Nchw s = Nchw::of(inputs[0]);
    if (backend == Backend::ref) return 2 * s.c * static_cast<int64_t>(sizeof(double));
    const int64_t floats = backend == Backend::cpu
                               ? 2 * round_up(s.c, kBlock) + cpu::batch_norm_scratch(s.n, s.c, s.h * s.w)
                               : 4 * s.c;
    return floats * static_cast<int64_t>(sizeof(float));
  }
  int64_t accumulation_length(Direction, Shapes inputs) const override {
    return inputs[0].numel() / inputs[0][1];
  }
  double eps() const { return eps_; }

 private:
  OpPtr inference_;
  double eps_;
};

// batch_norm's parameters with the batch's statistics in the place of the running ones.
template <typename T>
BatchNormParameters<T> parameters_of(const Op& op, const Arguments& a, const T* mean, const T* variance) {
  return {static_cast<const BatchNormTrainingOp&>(op).eps(), a.parameters[kWeight].as<T>(),
          a.parameters[kBias].as<T>(), mean, variance};
}

// Where forward puts the statistics.
template <typename T>
T* statistics(const Arguments& a) {
  return a.saved ? a.saved.as<T>() : reinterpret_cast<T*>(a.workspace.data());
}

// On the cpu the record's padding is zero, but that of a kernel's variance is one. Returns the latter's
// place.
float* cpu_statistics(const Arguments& a) { return reinterpret_cast<float*>(a.workspace.data()); }
float* cpu_scratch(const Arguments& a, int64_t c) { return cpu_statistics(a) + 2 * round_up(c, kBlock); }

BatchNormParameters<float> cpu_parameters(const Op& op, const Arguments& a, int64_t c) {
  const int64_t padded = round_up(c, kBlock);
  float* to = cpu_statistics(a);
  std::copy_n(a.saved.as<float>(), 2 * padded, to);
  std::fill(to + padded + c, to + 2 * padded, 1.0f);
  return parameters_of<float>(op, a, to, to + padded);
}

void ref_forward(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.output.shape);
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    T *mean = statistics<T>(a), *variance = mean + s.c;
    ref::batch_norm_statistics(a.inputs[0].as<T>(), mean, variance, s.n, s.c, s.h * s.w);
    ref::batch_norm(parameters_of<T>(op, a, mean, variance), a.inputs[0].as<T>(), a.output.as<T>(), s.n, s.c,
                    s.h * s.w);
  });
}

void ref_vjp_input(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad.shape);
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const T* mean = a.saved.as<T>();
    ref::batch_norm_training_vjp_input(parameters_of<T>(op, a, mean, mean + s.c), a.inputs[0].as<T>(),
                                       a.grad_output.as<T>(), a.grad.as<T>(), s.n, s.c, s.h * s.w);
  });
}

void ref_vjp_weight(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const T* mean = a.saved.as<T>();
    ref::batch_norm_vjp_weight(parameters_of<T>(op, a, mean, mean + s.c), a.inputs[0].as<T>(),
                               a.grad_output.as<T>(), a.grad.as<T>(), s.n, s.c, s.h * s.w);
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
  const int64_t padded = round_up(s.c, kBlock);
  float *mean = cpu_statistics(a), *variance = mean + padded;
  cpu::batch_norm_statistics(a.inputs[0].as<float>(), mean, variance, s.n, s.c, s.h * s.w,
                             cpu_scratch(a, s.c));
  if (a.saved) {
    std::copy_n(mean, 2 * padded, a.saved.as<float>());
    std::fill_n(a.saved.as<float>() + padded + s.c, padded - s.c, 0.0f);
  }
  cpu::batch_norm(parameters_of<float>(op, a, mean, variance), a.inputs[0].as<float>(), a.output.as<float>(),
                  s.n, s.c, s.h * s.w);
}

void cpu_vjp_input(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad.shape);
  cpu::batch_norm_training_vjp_input(cpu_parameters(op, a, s.c), a.inputs[0].as<float>(),
                                     a.grad_output.as<float>(), a.grad.as<float>(), s.n, s.c, s.h * s.w,
                                     cpu_scratch(a, s.c));
}

void cpu_vjp_weight(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  cpu::batch_norm_vjp_weight(cpu_parameters(op, a, s.c), a.inputs[0].as<float>(), a.grad_output.as<float>(),
                             a.grad.as<float>(), s.n, s.c, s.h * s.w);
}

void cpu_vjp_bias(const Op&, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  cpu::batch_norm_vjp_bias(a.grad_output.as<float>(), a.grad.as<float>(), s.n, s.c, s.h * s.w);
}

void device_forward(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.output.shape);
  float *mean = statistics<float>(a), *variance = mean + s.c;
  device::batch_norm_statistics(a.queue, a.inputs[0].as<float>(), mean, variance, s.n, s.c, s.h * s.w);
  device::batch_norm(a.queue, parameters_of<float>(op, a, mean, variance), a.inputs[0].as<float>(),
                     a.output.as<float>(), s.n, s.c, s.h * s.w);
}

void device_vjp_input(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad.shape);
  const float* mean = a.saved.as<float>();
  device::batch_norm_training_vjp_input(a.queue, parameters_of<float>(op, a, mean, mean + s.c),
                                        a.inputs[0].as<float>(), a.grad_output.as<float>(),
                                        a.grad.as<float>(), s.n, s.c, s.h * s.w,
                                        reinterpret_cast<float*>(a.workspace.data()));
}

void device_vjp_weight(const Op& op, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  const float* mean = a.saved.as<float>();
  device::batch_norm_vjp_weight(a.queue, parameters_of<float>(op, a, mean, mean + s.c),
                                a.inputs[0].as<float>(), a.grad_output.as<float>(), a.grad.as<float>(), s.n,
                                s.c, s.h * s.w);
}

void device_vjp_bias(const Op&, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  device::batch_norm_vjp_bias(a.queue, a.grad_output.as<float>(), a.grad.as<float>(), s.n, s.c, s.h * s.w);
}

}  // namespace

extern const OpKind batch_norm_training_kind{
    "batch_norm_training",
    "a scale and a shift a channel, from the batch's own statistics",
    {{Direction::forward, ref_forward, cpu_forward, device_forward},
     {Direction::vjp_input, ref_vjp_input, cpu_vjp_input, device_vjp_input},
     {Direction::vjp_weight, ref_vjp_weight, cpu_vjp_weight, device_vjp_weight},
     {Direction::vjp_bias, ref_vjp_bias, cpu_vjp_bias, device_vjp_bias}}};

const OpKind& BatchNormTrainingOp::kind() const { return batch_norm_training_kind; }

OpPtr batch_norm_training(BatchNorm attributes) { return std::make_shared<BatchNormTrainingOp>(attributes); }

}  // namespace loupe
