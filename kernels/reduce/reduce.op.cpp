#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <limits>

namespace loupe {

extern const OpKind reduce_kind;

Reduction Reduction::of(const Shape& x, uint32_t axis_is_reduced) {
  Reduction r;
  int free_kept = kDims, free_reduced = kDims;
  int64_t stride = 1;
  bool run_is_set = false, before = false;  // `before`: the sort of the dimension behind this one
  for (int d = x.rank() - 1; d >= 0; stride *= x[d], --d) {
    if (x[d] == 1) continue;
    const bool reduced = axis_is_reduced >> d & 1;
    const bool joins = run_is_set && reduced == before;
    const bool in_run = !run_is_set || (joins && free_kept == kDims && free_reduced == kDims);
    before = reduced;
    run_is_set = true;
    if (in_run) {
      r.run *= x[d];
      r.run_is_reduced = reduced;
      continue;
    }
    int& free = reduced ? free_reduced : free_kept;
    Dim* dims = reduced ? r.reduced : r.kept;
    if (joins)
      dims[free].size *= x[d];
    else
      dims[--free] = {x[d], stride};
  }
  return r;
}

namespace {

class ReduceOp : public Op {
 public:
  explicit ReduceOp(const Reduce& c) : c_(c) {
    if (c.axes.empty()) throw UsageError("reduce needs one axis at least");
  }
  const OpKind& kind() const override { return reduce_kind; }
  const Reduce& attributes() const { return c_; }
  std::string describe() const override {
    std::string text = c_.kind == Reduce::Kind::sum    ? "sum over"
                       : c_.kind == Reduce::Kind::mean ? "mean over"
                                                       : "max over";
    for (size_t i = 0; i < c_.axes.size(); ++i) text += (i ? ", " : " ") + std::to_string(c_.axes[i]);
    return text;
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs("reduce", inputs, 1);
    const Shape& x = inputs[0];
    expect_not_empty("reduce", x);
    const uint32_t mask = mask_of(x);
    std::vector<int64_t> dims;
    for (int d = 0; d < x.rank(); ++d) {
      if (!(mask >> d & 1))
        dims.push_back(x[d]);
      else if (c_.keep)
        dims.push_back(1);
    }
    if (dims.empty()) throw UsageError("reduce leaves no axis of " + x.str() + ": keep them");
    if (is_max() && reduction(x).group() > std::numeric_limits<int32_t>::max())
      throw UsageError("reduce: the maximum of more than 2^31 - 1 elements");
    return Shape(dims);
  }
  std::optional<Window> window() const override { return std::nullopt; }
  std::optional<Record> record(Shapes inputs) const override {
    if (!is_max()) return std::nullopt;
    return Record{Dtype::i32, shape(inputs)};
  }
  Needs needs(Direction d) const override { return {.record = !d.is_forward() && is_max()}; }
  int64_t accumulation_length(Direction d, Shapes inputs) const override {
    return d.is_forward() && !is_max() ? reduction(inputs[0]).group() : 0;
  }

  bool is_max() const { return c_.kind == Reduce::Kind::max; }
  Reduction reduction(const Shape& x) const { return Reduction::of(x, mask_of(x)); }
  double divisor(const Reduction& r) const {
    return c_.kind == Reduce::Kind::mean ? static_cast<double>(r.group()) : 1;
  }

 private:
  uint32_t mask_of(const Shape& x) const {
    uint32_t mask = 0;
    for (const int axis : c_.axes) {
      const uint32_t bit = 1u << expect_axis("reduce", x, axis);
      if (mask & bit) throw UsageError("reduce: axis " + std::to_string(axis) + " is named twice");
      mask |= bit;
    }
    return mask;
  }
  Reduce c_;
};

const ReduceOp& reduce_of(const Op& op) { return static_cast<const ReduceOp&>(op); }

void ref_kernel(const Op& op, const Arguments& a) {
  const Reduction r = reduce_of(op).reduction(a.inputs[0].shape);
  const bool is_max = reduce_of(op).is_max();
  with_float_type((a.direction.is_forward() ? a.output : a.grad).dtype, [&](auto t) {
    using T = decltype(t);
    const auto divisor = static_cast<T>(reduce_of(op).divisor(r));
    const T *x = a.inputs[0].as<T>(), *gy = a.grad_output.as<T>();
    if (a.direction.is_forward())
      return is_max ? ref::reduce_max(r, x, a.output.as<T>(), a.record.as<int32_t>())
                    : ref::reduce_sum(r, divisor, x, a.output.as<T>());
    is_max ? ref::reduce_max_vjp(r, a.record.as<int32_t>(), gy, a.grad.as<T>())
           : ref::reduce_sum_vjp(r, divisor, gy, a.grad.as<T>());
  });
}

void cpu_kernel(const Op& op, const Arguments& a) {
  const Reduction r = reduce_of(op).reduction(a.inputs[0].shape);
  const bool is_max = reduce_of(op).is_max();
  const auto divisor = static_cast<float>(reduce_of(op).divisor(r));
  const float *x = a.inputs[0].as<float>(), *gy = a.grad_output.as<float>();
  if (a.direction.is_forward())
    return is_max ? cpu::reduce_max(r, x, a.output.as<float>(), a.record.as<int32_t>())
                  : cpu::reduce_sum(r, divisor, x, a.output.as<float>());
  is_max ? cpu::reduce_max_vjp(r, a.record.as<int32_t>(), gy, a.grad.as<float>())
         : cpu::reduce_sum_vjp(r, divisor, gy, a.grad.as<float>());
}

void device_kernel(const Op& op, const Arguments& a) {
  const Reduction r = reduce_of(op).reduction(a.inputs[0].shape);
  const bool is_max = reduce_of(op).is_max();
  const auto divisor = static_cast<float>(reduce_of(op).divisor(r));
  const float* x = a.inputs[0].as<float>();
  if (!a.direction.is_forward())
    return device::reduce_vjp(a.queue, r, divisor, is_max ? a.record.as<int32_t>() : nullptr,
                              a.grad_output.as<float>(), a.grad.as<float>());
  if (is_max) return device::reduce_max(a.queue, r, x, a.output.as<float>(), a.record.as<int32_t>());
  device::reduce_sum(a.queue, r, divisor, x, a.output.as<float>());
}

}  // namespace

extern const OpKind reduce_kind{
    .name = "reduce",
    .summary = "sum, mean or maximum over axes",
    .kernels = {{Direction::forward, ref_kernel, cpu_kernel, device_kernel},
                {Direction::vjp_input, ref_kernel, cpu_kernel, device_kernel}},
};

bool is_mean_over_maps(const Op& op) {
  const auto* r = dynamic_cast<const ReduceOp*>(&op);
  if (!r || r->attributes().kind != Reduce::Kind::mean) return false;
  std::vector<int> axes = r->attributes().axes;
  for (int& a : axes) a = a < 0 ? a + 4 : a;
  std::ranges::sort(axes);
  return axes == std::vector{2, 3};
}

OpPtr reduce(Reduce config) { return std::make_shared<ReduceOp>(config); }

}  // namespace loupe
