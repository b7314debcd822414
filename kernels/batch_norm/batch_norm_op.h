// What batch_norm and batch_norm_training share besides kernels: the op but for where its statistics come
// from, and the calls of the kernels on each backend.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "kernels/batch_norm/batch_norm.h"

namespace loupe {

class BatchNormOp : public Op {
 public:
  enum Operand : int { kInput, kWeight, kBias, kMean, kVariance };

  explicit BatchNormOp(const BatchNorm& attributes) : eps_(attributes.eps) {}
  std::string describe() const override;
  Shape shape(Shapes inputs) const override;
  std::vector<ParameterSpec> parameters(Shapes given) const override;
  int64_t macs(Shapes inputs) const override { return inputs[0].numel(); }
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  bool in_place() const override { return true; }
  /// On the cpu the parameters that a direction reads are padded to whole blocks, the variance with ones and
  /// the others with zeros, so that lanes past the last channel stay zero. On a device the vjps to weight and
  /// bias have scratch for the parts of their sums.
  Call prepare(Backend, Direction, Shapes inputs, const KernelOptions&) const override;
  double eps() const { return eps_; }

 private:
  double eps_;
};

std::vector<std::string_view> batch_norm_operands();

namespace batch_norm_calls {

/// Calls that one of three kernels which is the backend's; they take the same arguments.
template <Backend backend, typename Ref, typename Cpu, typename Device, typename... A>
void run(const Queue& queue, const Ref& ref, const Cpu& cpu, const Device& device, A... arguments) {
  if constexpr (backend == Backend::ref)
    ref(arguments...);
  else if constexpr (backend == Backend::cpu)
    cpu(arguments...);
  else
    device(queue, arguments...);
}

/// body(T{}) by the type of `a`: of float alone where the backend has no other.
template <Backend backend, typename Body>
void with_type(const Array& a, const Body& body) {
  if constexpr (backend == Backend::ref)
    with_float_type(a.dtype, body);
  else
    body(float{});
}

/// Weight and bias as the call has them, with the statistics at these places.
template <typename T>
BatchNormParameters<T> parameters_of(const Op& op, const Arguments& a, const T* mean, const T* variance) {
  return {static_cast<const BatchNormOp&>(op).eps(), a.inputs[BatchNormOp::kWeight].as<T>(),
          a.inputs[BatchNormOp::kBias].as<T>(), mean, variance};
}

template <Backend backend, typename T>
void forward(const BatchNormParameters<T>& p, const Arguments& a) {
  const Nchw s = Nchw::of(a.output.shape);
  run<backend>(a.queue, ref::batch_norm<T>, cpu::batch_norm, device::batch_norm, p, a.inputs[0].as<T>(),
               a.output.as<T>(), s.n, s.c, s.h * s.w);
}

/// How a device cuts the sums of its channels.
inline Parts parts_of(const Nchw& s) { return Parts::of_channels(s.n, s.c, s.h * s.w); }

template <Backend backend, typename T>
void vjp_weight(const BatchNormParameters<T>& p, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  const T *x = a.inputs[0].as<T>(), *gy = a.grad_output.as<T>();
  if constexpr (backend == Backend::ref)
    ref::batch_norm_vjp_weight(p, x, gy, a.grad.as<T>(), s.n, s.c, s.h * s.w);
  else if constexpr (backend == Backend::cpu)
    cpu::batch_norm_vjp_weight(p, x, gy, a.grad.as<T>(), s.n, s.c, s.h * s.w);
  else
    device::batch_norm_vjp_weight(a.queue, parts_of(s), p, x, gy, a.grad.as<T>(), s.c,
                                  reinterpret_cast<float*>(a.workspace.data()));
}

/// The bias' vjp is the same kernel in both ops.
template <Backend backend>
void vjp_bias(const Op&, const Arguments& a) {
  const Nchw s = Nchw::of(a.grad_output.shape);
  with_type<backend>(a.grad, [&](auto t) {
    using T = decltype(t);
    const T* gy = a.grad_output.as<T>();
    if constexpr (backend == Backend::ref)
      ref::batch_norm_vjp_bias(gy, a.grad.as<T>(), s.n, s.c, s.h * s.w);
    else if constexpr (backend == Backend::cpu)
      cpu::batch_norm_vjp_bias(gy, a.grad.as<T>(), s.n, s.c, s.h * s.w);
    else
      device::channel_sums(a.queue, parts_of(s), s.c, 1.0f, gy, a.grad.as<T>(),
                           reinterpret_cast<float*>(a.workspace.data()));
  });
}

}  // namespace batch_norm_calls

}  // namespace loupe
