#include <algorithm>
#include <cmath>
#include <cstdio>

#include "kernels/lrn/lrn.h"

namespace loupe {

namespace {

class LrnOp final : public Op {
 public:
  explicit LrnOp(const Lrn& attributes) : attributes_(attributes) {}
  const OpKind& kind() const override;
  std::string describe() const override {
    char text[128];
    std::snprintf(text, sizeof text, "size %lld, alpha %g, beta %g, k %g",
                  static_cast<long long>(attributes_.size), attributes_.alpha, attributes_.beta,
                  attributes_.k);
    return text;
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs(kind().name, inputs, 1);
    expect_maps(kind().name, inputs[0]);
    const auto& [size, alpha, beta, k] = attributes_;
    const bool sound =
        size >= 1 && std::isfinite(alpha) && alpha >= 0 && std::isfinite(beta) && std::isfinite(k) && k > 0;
    if (!sound)
      throw UsageError(std::string(kind().name) +
                       ": size must be at least 1, alpha 0 or more, k positive, all finite; got " +
                       describe());
    return inputs[0];
  }
  int64_t macs(Shapes inputs) const override { return inputs[0].numel() * reach(inputs); }
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  Needs needs(Direction) const override { return {.operands = 1}; }
  Call prepare(Backend backend, Direction direction, Shapes inputs, const KernelOptions&) const override {
    Call call = table_call(backend, direction);
    if (backend == Backend::cpu)
      call.workspace = cpu::lrn_workspace(attributes_.size, inputs[0][1]) * dtype_bytes(Dtype::f32);
    return call;
  }
  // A power multiplies a sum's relative error: beta times forward; backward beta + 1 times, inside another
  // sum.
  int64_t accumulation_length(Direction direction, Shapes inputs) const override {
    const auto powers = static_cast<int64_t>(std::ceil(std::min(std::fabs(attributes_.beta), 1e6)));
    return reach(inputs) * (direction.is_forward() ? std::max<int64_t>(powers, 1) : powers + 2);
  }
  const Lrn& attributes() const { return attributes_; }

 private:
  int64_t reach(Shapes inputs) const { return std::min(attributes_.size, inputs[0][1]); }
  Lrn attributes_;
};

const Lrn& attributes_of(const Op& op) { return static_cast<const LrnOp&>(op).attributes(); }

void ref_forward(const Op& op, const Arguments& a) {
  const Shape& s = a.output.shape;
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref::lrn(attributes_of(op), a.inputs[0].as<T>(), a.output.as<T>(), s[0], s[1], s[2] * s[3]);
  });
}

void ref_vjp(const Op& op, const Arguments& a) {
  const Shape& s = a.grad.shape;
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::lrn_vjp(attributes_of(op), a.inputs[0].as<T>(), a.grad_output.as<T>(), a.grad.as<T>(), s[0], s[1],
                 s[2] * s[3]);
  });
}

float* workspace_of(const Arguments& a) { return reinterpret_cast<float*>(a.workspace.data()); }

void cpu_forward(const Op& op, const Arguments& a) {
  const Shape& s = a.output.shape;
  cpu::lrn(attributes_of(op), a.inputs[0].as<float>(), a.output.as<float>(), workspace_of(a), s[0], s[1],
           s[2] * s[3]);
}

void cpu_vjp(const Op& op, const Arguments& a) {
  const Shape& s = a.grad.shape;
  cpu::lrn_vjp(attributes_of(op), a.inputs[0].as<float>(), a.grad_output.as<float>(), a.grad.as<float>(),
               workspace_of(a), s[0], s[1], s[2] * s[3]);
}

void device_forward(const Op& op, const Arguments& a) {
  const Shape& s = a.output.shape;
  device::lrn(a.queue, attributes_of(op), a.inputs[0].as<float>(), a.output.as<float>(), s[0], s[1],
              s[2] * s[3]);
}

void device_vjp(const Op& op, const Arguments& a) {
  const Shape& s = a.grad.shape;
  device::lrn_vjp(a.queue, attributes_of(op), a.inputs[0].as<float>(), a.grad_output.as<float>(),
                  a.grad.as<float>(), s[0], s[1], s[2] * s[3]);
}

}  // namespace

extern const OpKind lrn_kind{"lrn",
                             "local response normalisation across channels",
                             {{Direction::forward, ref_forward, cpu_forward, device_forward},
                              {Direction::vjp_input, ref_vjp, cpu_vjp, device_vjp}}};

const OpKind& LrnOp::kind() const { return lrn_kind; }

OpPtr lrn(Lrn attributes) { return std::make_shared<LrnOp>(attributes); }

}  // namespace loupe
