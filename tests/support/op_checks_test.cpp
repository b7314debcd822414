// The harness itself: a small op with one planted bug at a time, each of which check_op() must find, and the
// op without any, which it must pass.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/op_checks.h"

namespace loupe::test {
namespace {

enum class Bug {
  none,
  writes_before,
  writes_past_end,
  overruns_workspace,
  changes_input,
  leaves_an_element,
  reads_stale_workspace,
  dirty_padding_lane,
  wrong_element,
  inaccurate,
  wrong_vjp_sign,
  wrong_vjp_edge,
  wrong_weight_gradient,
  wrong_on_both_backends,
  order_by_batch,
  reads_what_it_does_not_need,
  leaves_packing,
  writes_past_packing,
  order_by_threads,
  order_by_instruction_set,
  wrong_in_place,
  false_view,
  false_identity,
  unreached_kernel,
  accepts_nothing,
};

// y[n, c, p] = weight[c] · Σ_{q ≤ p} x[n, c, q] over the pixels p of a map. The bug is in cpu's kernels.
class PrefixSum : public Op {
 public:
  explicit PrefixSum(Bug bug) : bug_(bug) {}
  const OpKind& kind() const override;
  Shape shape(Shapes inputs) const override {
    if (bug_ != Bug::accepts_nothing || inputs[0].numel() > 0) expect_maps("prefix_sum", inputs[0]);
    expect_parameters(inputs, 1);
    return inputs[0];
  }
  std::vector<ParameterSpec> parameters(Shapes inputs) const override {
    return {{"weight", {inputs[0][1]}, ParameterSpec::Role::weight}};
  }
  bool in_place() const override { return true; }
  bool is_view(Layout, Shapes) const override { return bug_ == Bug::false_view; }
  bool vjp_is_identity(Shapes) const override { return bug_ == Bug::false_identity; }
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  Needs needs(Direction d) const override {
    if (bug_ == Bug::reads_what_it_does_not_need && d == Direction::vjp_input) return {};
    return {.operands = d == Direction::vjp_weight ? 1u : 2u};
  }
  Call prepare(Backend backend, Direction direction, Shapes inputs, const KernelOptions&) const override;
  int64_t accumulation_length(Direction d, Shapes inputs) const override {
    return inputs[0][2] * inputs[0][3] * (d == Direction::vjp_weight ? inputs[0][0] : 1);
  }
  Bug bug() const { return bug_; }

 private:
  Bug bug_;
};

// Both layouts and both types, one element at a time.
template <typename T>
struct View {
  T* data;
  Nchw s;
  Layout layout;
  explicit View(const Array& a) : data(a.as<T>()), s(Nchw::of(a.shape)), layout(a.layout) {}
  T& operator()(int64_t n, int64_t c, int64_t p) const {
    const int64_t pixels = s.h * s.w;
    return layout == Layout::planar
               ? data[(n * s.c + c) * pixels + p]
               : data[((n * blocks(s.c) + c / kBlock) * pixels + p) * kBlock + c % kBlock];
  }
};

Bug bug_of(const Op& op, const Array& a) {
  const Bug bug = static_cast<const PrefixSum&>(op).bug();
  return a.layout == Layout::blocked || bug == Bug::wrong_on_both_backends ? bug : Bug::none;
}

template <typename T>
T prefix(const View<T>& x, int64_t n, int64_t c, int64_t p, bool reversed) {
  T sum = 0;
  for (int64_t q = 0; q <= p; ++q) sum += x(n, c, reversed ? p - q : q);
  return sum;
}

void zero_padding(const Array& a) {
  if (a.layout != Layout::blocked) return;
  const View<float> v(a);
  for (int64_t n = 0; n < v.s.n; ++n)
    for (int64_t c = v.s.c; c < round_up(v.s.c, kBlock); ++c)
      for (int64_t p = 0; p < v.s.h * v.s.w; ++p) v(n, c, p) = 0;
}

void forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    const Bug bug = bug_of(op, a.output);
    const View<T> x(a.inputs[0]), y(a.output);
    const T* w = a.inputs[1].as<T>();
    const bool reversed =
        (bug == Bug::order_by_batch && y.s.n > 2) || (bug == Bug::order_by_threads && max_threads() == 5) ||
        (bug == Bug::order_by_instruction_set && hwy::GetChosenTarget().GetIndex() % 2 == 0);
    for (int64_t n = 0; n < y.s.n; ++n)
      for (int64_t c = 0; c < y.s.c; ++c)
        for (int64_t p = y.s.h * y.s.w - 1; p >= 0; --p) y(n, c, p) = w[c] * prefix(x, n, c, p, reversed);
    zero_padding(a.output);
    T* const end = y.data + a.output.bytes() / static_cast<int64_t>(sizeof(T));
    T& last = y(y.s.n - 1, y.s.c - 1, y.s.h * y.s.w - 1);
    auto* work = reinterpret_cast<float*>(a.workspace.data());
    const bool in_place = a.inputs[0].data == a.output.data;
    if (bug == Bug::writes_before) y.data[-1] = 0;
    if (bug == Bug::writes_past_end) *end = 0;
    if (bug == Bug::overruns_workspace) work[1] = 0;
    if (bug == Bug::changes_input && !in_place) x(0, 0, 0) += 1;
    if (bug == Bug::reads_stale_workspace && !(work[0] > 0)) last += 1;
    if (bug == Bug::dirty_padding_lane && y.s.c % kBlock) end[-1] = T(1e-30);
    if (bug == Bug::wrong_element) last *= 2;
    if (bug == Bug::inaccurate) last *= T(1 + 1e-4);
    if (bug == Bug::wrong_in_place && in_place) last = std::nextafter(last, T(0));
  });
}

void vjp_input(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const Bug bug = bug_of(op, a.grad);
    const View<T> gy(a.grad_output), gx(a.grad);
    const int64_t pixels = gx.s.h * gx.s.w;
    for (int64_t n = 0; n < gx.s.n; ++n)
      for (int64_t c = 0; c < gx.s.c; ++c) {
        T sum = 0;
        const T w = a.inputs[1].as<T>()[c] * T(bug == Bug::wrong_vjp_sign ? -1 : 1);
        for (int64_t p = pixels - 1; p >= 0; --p) {
          const T g = gy(n, c, p);
          sum += g;
          if (bug == Bug::leaves_an_element && n == 0 && c == 0 && p == 1) continue;
          const bool edge = (bug == Bug::wrong_vjp_edge || bug == Bug::wrong_on_both_backends) && p == 0;
          gx(n, c, p) = w * (edge ? sum - g : sum);
        }
      }
    zero_padding(a.grad);
  });
}

void vjp_weight(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const View<T> gy(a.grad_output), x(a.inputs[0]);
    const bool halved = bug_of(op, a.grad_output) == Bug::wrong_weight_gradient;
    for (int64_t c = 0; c < x.s.c; ++c) {
      T sum = 0;
      for (int64_t n = 0; n < x.s.n; ++n)
        for (int64_t p = 0; p < x.s.h * x.s.w; ++p) sum += gy(n, c, p) * prefix(x, n, c, p, false);
      a.grad.as<T>()[c] = halved && c == x.s.c - 1 ? sum / 2 : sum;
    }
  });
}

std::vector<OpKind::Row> kernels(bool bias) {
  std::vector<OpKind::Row> rows = {{Direction::forward, forward, forward},
                                   {Direction::vjp_input, vjp_input, vjp_input},
                                   {Direction::vjp_weight, vjp_weight, vjp_weight}};
  if (bias) rows.push_back({Direction::vjp_bias, vjp_weight, vjp_weight});
  return rows;
}
const OpKind plain_kind{"prefix_sum", "sums along the pixels", kernels(false), {"input", "weight"}};
const OpKind biased_kind{"prefix_sum", "sums along the pixels", kernels(true), {"input", "weight", "bias"}};
// On the cpu the weight is packed: whole blocks, the padding zero.
Call PrefixSum::prepare(Backend backend, Direction direction, Shapes inputs, const KernelOptions&) const {
  Call call = table_call(backend, direction);
  call.workspace = 4;
  if (backend != Backend::cpu || !(needs(direction).operands >> 1 & 1)) return call;
  const int64_t channels = inputs[0][1], padded = round_up(channels, kBlock);
  call.packing.push_back({1, padded, "whole blocks", [=, this](const float* from, float* to) {
                            std::copy(from, from + channels, to);
                            const int64_t more = bug_ == Bug::writes_past_packing ? 1 : 0;
                            if (bug_ != Bug::leaves_packing)
                              std::fill(to + channels, to + padded + more, 0.0f);
                          }});
  return call;
}

const OpKind& PrefixSum::kind() const { return bug_ == Bug::unreached_kernel ? biased_kind : plain_kind; }

std::vector<std::string> failures_of(Bug bug) {
  const OpPtr op = std::make_shared<PrefixSum>(bug);
  const OpSuite suite{
      .cases = {{"odd map, batch 3", op, {{3, 19, 3, 5}}},
                {"1×1 map", op, {{1, 16, 1, 1}}},
                {"one row", op, {{1, 3, 1, 6}}}},
      .rejections = {{"no element",
                      [=] {
                        infer(op, {{1, 3, 0, 2}});
                      },
                      "non-empty maps"}},
      .linear = true,
  };
  return check_op(op->kind(), suite);
}

}  // namespace

TEST_CASE("a correct op passes") {
  for (const std::string& failure : failures_of(Bug::none)) FAIL_CHECK(failure);
}

TEST_CASE("every planted bug is found, and called by its name") {
  const struct {
    Bug bug;
    const char* says;
  } bugs[] = {
      {Bug::writes_before, "wrote 4 byte(s) before the output"},
      {Bug::writes_past_end, "past the end of the output"},
      {Bug::overruns_workspace, "past the end of the workspace"},
      {Bug::changes_input, "changed its operand input"},
      {Bug::leaves_an_element, "the result at (0, 0, 0, 1) was not written"},
      {Bug::reads_stale_workspace, "depends on what memory held before"},
      {Bug::dirty_padding_lane, "the padding of the result is not zero"},
      {Bug::wrong_element, "agreement: forward at (2, 18, 2, 4): expected"},
      {Bug::inaccurate, "agreement: forward at (2, 18, 2, 4): expected"},
      {Bug::wrong_vjp_sign, "agreement: vjp_input at (0, 0, 0, 0): expected"},
      {Bug::wrong_vjp_edge, "adjoints: vjp_input on cpu f32 of integers is not exact"},
      {Bug::wrong_weight_gradient, "agreement: vjp_weight at (18): expected"},
      {Bug::wrong_on_both_backends, "derivatives: vjp_input: along a random direction expected"},
      {Bug::wrong_on_both_backends, "adjoints: <Ax, y> = <x, A'y>"},
      {Bug::order_by_batch, "in a batch of"},
      {Bug::reads_what_it_does_not_need, "depends on what memory held before"},
      {Bug::leaves_packing, "the packing left part of the packed weight unwritten"},
      {Bug::writes_past_packing, "past the end of the packed weight"},
      {Bug::order_by_threads, "forward with 5 thread(s)"},
      {Bug::order_by_instruction_set, "AVX2 then AVX-512"},
      {Bug::wrong_in_place, "forward in place"},
      {Bug::false_view, "is_view() is true, but forward changes bytes"},
      {Bug::false_identity, "vjp_is_identity() is true, but vjp_input changes bytes"},
      {Bug::unreached_kernel, "vjp_bias on cpu: no case reaches this kernel"},
      {Bug::accepts_nothing, "rejection \"no element\": was accepted"},
  };
  for (const auto& [bug, says] : bugs) {
    if (bug == Bug::order_by_instruction_set && !has_both_instruction_sets()) continue;
    CAPTURE(says);
    const auto failures = failures_of(bug);
    std::string all;
    for (const std::string& f : failures) all += f + "\n";
    CAPTURE(all);
    CHECK(all.find(says) != std::string::npos);
  }
}

}  // namespace loupe::test
