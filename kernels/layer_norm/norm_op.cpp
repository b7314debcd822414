// What the ops of layer_norm, rms_norm and group_norm share: shapes, the record, and the table of kernels.
#include "kernels/layer_norm/norm.h"

namespace loupe {

Shape NormOp::shape(Shapes inputs) const {
  if (inputs.empty()) expect_inputs(kind().name, inputs, 1);
  sizes(inputs[0]);
  expect_parameters(inputs, 1);
  return inputs[0];
}

std::vector<ParameterSpec> NormOp::parameters(Shapes given) const {
  if (!affine() || given.empty()) return {};
  const Shape shape = weight_shape(given[0]);
  std::vector<ParameterSpec> list{{"weight", shape, ParameterSpec::Role::norm_weight}};
  if (has_bias()) list.push_back({"bias", shape, ParameterSpec::Role::norm_bias});
  return list;
}

std::optional<Record> NormOp::record(Shapes inputs) const {
  const Norm n = sizes(inputs[0]);
  const int64_t images = inputs[0][0];
  return Record{Dtype::f32, {images, n.outer / images * n.inner, n.kept()}};
}

Needs NormOp::needs(Direction d) const {
  if (d == Direction::vjp_input) return {.operands = affine() ? 3u : 1u, .record = true};
  if (d == Direction::vjp_weight) return {.operands = 1, .record = true};
  return {};
}

int64_t NormOp::accumulation_length(Direction d, Shapes inputs) const {
  const Norm n = sizes(inputs[0]);
  const bool parameter = d == Direction::vjp_weight || d == Direction::vjp_bias;
  return parameter ? inputs[0].numel() / n.weights() : n.length;
}

namespace {

// How a device cuts the sums of the vjps to weight and bias.
Parts parts_of(const Norm& n, int64_t images) {
  if (n.has_channels()) return Parts::of_channels(images, n.weights(), n.pixels());
  return Parts::of_rows(images, n.outer / n.groups / images, n.weights());
}

Norm sizes_of(const Op& op, const Arguments& a) {
  return static_cast<const NormOp&>(op).sizes(a.inputs[0].shape);
}

// Operand 1 or 2, or null where the op has none.
template <typename T>
const T* parameter(const Arguments& a, size_t i) {
  return i < a.inputs.size() ? a.inputs[i].as<T>() : nullptr;
}

void ref_kernel(const Op& op, const Arguments& a) {
  const Norm n = sizes_of(op, a);
  with_float_type((a.direction.is_forward() ? a.output : a.grad).dtype, [&](auto t) {
    using T = decltype(t);
    const T *x = a.inputs[0].as<T>(), *weight = parameter<T>(a, 1), *gy = a.grad_output.as<T>();
    T *record = a.record.as<T>(), *grad = a.grad.as<T>();
    if (a.direction.is_forward())
      return ref::norm(n, x, weight, parameter<T>(a, 2), a.output.as<T>(), record);
    if (a.direction == Direction::vjp_input) return ref::norm_vjp_input<T>(n, x, weight, record, gy, grad);
    if (a.direction == Direction::vjp_weight) return ref::norm_vjp_weight<T>(n, x, record, gy, grad);
    ref::norm_vjp_bias(n, gy, grad);
  });
}

void cpu_kernel(const Op& op, const Arguments& a) {
  const Norm n = sizes_of(op, a);
  const bool blocked = a.inputs[0].layout == Layout::blocked;
  const float *x = a.inputs[0].as<float>(), *weight = parameter<float>(a, 1), *gy = a.grad_output.as<float>();
  float *record = a.record.as<float>(), *grad = a.grad.as<float>();
  if (a.direction.is_forward())
    return (blocked ? cpu::channel_norm : cpu::norm)(n, x, weight, parameter<float>(a, 2),
                                                     a.output.as<float>(), record);
  if (a.direction == Direction::vjp_input)
    return (blocked ? cpu::channel_norm_vjp_input : cpu::norm_vjp_input)(n, x, weight, record, gy, grad);
  if (a.direction == Direction::vjp_weight)
    return (blocked ? cpu::channel_norm_vjp_weight : cpu::norm_vjp_weight)(n, x, record, gy, grad);
  (blocked ? cpu::channel_norm_vjp_bias : cpu::norm_vjp_bias)(n, gy, grad);
}

void device_kernel(const Op& op, const Arguments& a) {
  const Norm n = sizes_of(op, a);
  const float *x = a.inputs[0].as<float>(), *weight = parameter<float>(a, 1), *gy = a.grad_output.as<float>();
  float *record = a.record.as<float>(), *grad = a.grad.as<float>();
  if (a.direction.is_forward())
    return device::norm(a.queue, n, x, weight, parameter<float>(a, 2), a.output.as<float>(), record);
  if (a.direction == Direction::vjp_input)
    return device::norm_vjp_input(a.queue, n, x, weight, record, gy, grad);
  const bool bias = a.direction == Direction::vjp_bias;
  device::norm_vjp_weight(a.queue, n, parts_of(n, a.inputs[0].shape[0]), bias ? nullptr : x,
                          bias ? nullptr : record, gy, grad, reinterpret_cast<float*>(a.workspace.data()));
}

}  // namespace

Call NormOp::prepare(Backend backend, Direction d, Shapes inputs, const KernelOptions&) const {
  Call call = table_call(backend, d);
  const bool device = backend == Backend::cuda || backend == Backend::sim;
  if (!device || d.is_forward() || d == Direction::vjp_input) return call;
  const Norm n = sizes(inputs[0]);
  const Parts parts = parts_of(n, inputs[0][0]);
  call.describe = n.has_channels() ? "a block a channel" + parts.describe(n.weights())
                                   : "a block for 32 columns" + parts.describe(ceil_div(n.weights(), 32));
  call.workspace = parts.scratch_floats(n.weights()) * dtype_bytes(Dtype::f32);
  return call;
}

std::vector<OpKind::Row> norm_kernels() {
  std::vector<OpKind::Row> rows;
  for (const Direction d :
       {Direction::forward, Direction::vjp_input, Direction::vjp_weight, Direction::vjp_bias})
    rows.push_back({d, ref_kernel, cpu_kernel, device_kernel});
  return rows;
}

}  // namespace loupe
