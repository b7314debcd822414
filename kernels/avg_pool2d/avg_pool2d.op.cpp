#include "kernels/avg_pool2d/avg_pool2d.h"

#include <algorithm>

namespace loupe {

namespace {

class AvgPool2dOp final : public MeanOp {
 public:
  explicit AvgPool2dOp(const AvgPool2d& a)
      : pooling_{a.kernel, a.stride.value_or(a.kernel), a.padding, 1, a.ceil_mode},
        count_include_pad_(a.count_include_pad),
        divisor_(a.divisor) {}
  const OpKind& kind() const override;
  std::string describe() const override {
    std::string s = pooling_.str();
    if (divisor_) return s + ", divisor " + std::to_string(*divisor_);
    return pooling_.padding == Pair(0) || count_include_pad_ ? s : s + ", padding not counted";
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs(kind().name, inputs, 1);
    const Nchw x = expect_maps(kind().name, inputs[0]);
    if (divisor_ && *divisor_ < 1)
      throw UsageError(std::string(kind().name) + ": the divisor must be at least 1, got " +
                       std::to_string(*divisor_));
    const Pair pooled = pooling_.pooled(kind().name, {x.h, x.w});
    return {x.n, x.c, pooled.h, pooled.w};
  }
  std::optional<Window> window() const override {
    return Window{pooling_.kernel, pooling_.stride, pooling_.padding, pooling_.dilation};
  }
  // Not where the divisor depends on how much of its window lies in the map.
  std::optional<OnWindow> on_window(Shapes) const override {
    const bool counts_cells = pooling_.ceil_mode || (pooling_.padding != Pair(0) && !count_include_pad_);
    if (counts_cells && !divisor_) return std::nullopt;
    return OnWindow{.op = avg_pool2d({.kernel = pooling_.kernel, .stride = pooling_.stride, .divisor = divisor_})};
  }
  MeanAxes axes(Pair map) const override {
    const auto& [kernel, stride, padding, dilation, ceil_mode] = pooling_;
    const Pair pooled = pooling_.windows(map);
    return {{map.h, pooled.h, kernel.h, stride.h, padding.h, count_include_pad_, divisor_.value_or(0)},
            {map.w, pooled.w, kernel.w, stride.w, padding.w, count_include_pad_, divisor_ ? 1 : 0}};
  }

 private:
  Pooling pooling_;
  bool count_include_pad_;
  std::optional<int64_t> divisor_;
};

MeanWindows windows_over(const Op& op, const Shape& maps) {
  return static_cast<const MeanOp&>(op).windows({maps[2], maps[3]});
}
MeanAxes axes_over(const Op& op, const Shape& maps) {
  return static_cast<const MeanOp&>(op).axes({maps[2], maps[3]});
}
int64_t block_planes(const Shape& s) { return s[0] * blocks(s[1]); }

void ref_forward(const Op& op, const Arguments& a) {
  const Shape& x = a.inputs[0].shape;
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref::avg_pool2d(windows_over(op, x), a.inputs[0].as<T>(), a.output.as<T>(), x[0] * x[1]);
  });
}

void ref_vjp(const Op& op, const Arguments& a) {
  const Shape& x = a.grad.shape;
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::avg_pool2d_vjp(windows_over(op, x), a.grad_output.as<T>(), a.grad.as<T>(), x[0] * x[1]);
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  const Shape& x = a.inputs[0].shape;
  cpu::avg_pool2d(windows_over(op, x), a.inputs[0].as<float>(), a.output.as<float>(), block_planes(x));
}

void cpu_vjp(const Op& op, const Arguments& a) {
  const Shape& x = a.grad.shape;
  cpu::avg_pool2d_vjp(windows_over(op, x), a.grad_output.as<float>(), a.grad.as<float>(), block_planes(x));
}

void device_forward(const Op& op, const Arguments& a) {
  const Shape& x = a.inputs[0].shape;
  const auto [rows, columns] = axes_over(op, x);
  device::avg_pool2d(a.queue, rows, columns, a.inputs[0].as<float>(), a.output.as<float>(), x[0] * x[1]);
}

void device_vjp(const Op& op, const Arguments& a) {
  const Shape& x = a.grad.shape;
  const auto [rows, columns] = axes_over(op, x);
  device::avg_pool2d_vjp(a.queue, rows, columns, a.grad_output.as<float>(), a.grad.as<float>(), x[0] * x[1]);
}

std::vector<MeanSpan> spans(const MeanAxis& axis) {
  std::vector<MeanSpan> all;
  for (int64_t i = 0; i < axis.count; ++i) all.push_back(axis.span(i));
  return all;
}

// Cells in the largest window, or windows over the most popular cell.
int64_t longest(const std::vector<MeanSpan>& spans, Direction direction) {
  int64_t most = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    int64_t count = spans[i].end - spans[i].begin;
    if (!direction.is_forward())
      // Neither ends nor beginnings decrease: a cell in the most windows is the last one of some window.
      count = std::count_if(spans.begin(), spans.end(), [&](const MeanSpan& s) {
        return s.begin < spans[i].end && spans[i].end <= s.end;
      });
    most = std::max(most, count);
  }
  return most;
}

}  // namespace

MeanWindows MeanOp::windows(Pair map) const {
  const auto [rows, columns] = axes(map);
  return {map, spans(rows), spans(columns)};
}

int64_t MeanOp::accumulation_length(Direction direction, Shapes inputs) const {
  const MeanWindows all = windows_over(*this, inputs[0]);
  return longest(all.rows, direction) * longest(all.columns, direction);
}

std::vector<OpKind::Row> mean_kernels() {
  return {{Direction::forward, ref_forward, cpu_forward, device_forward},
          {Direction::vjp_input, ref_vjp, cpu_vjp, device_vjp}};
}

extern const OpKind avg_pool2d_kind{"avg_pool2d", "the mean of each window", mean_kernels()};

const OpKind& AvgPool2dOp::kind() const { return avg_pool2d_kind; }

OpPtr avg_pool2d(AvgPool2d attributes) { return std::make_shared<AvgPool2dOp>(attributes); }

}  // namespace loupe
