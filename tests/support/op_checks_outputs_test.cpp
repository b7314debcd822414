// The harness itself, continued: an op with integer operands, two outputs and both layouts, and one with
// epilogues. Each is passed where it is sound, and every planted bug is found.
#include <doctest/doctest.h>

#include "kernels/elementwise/elementwise.h"
#include "tests/support/op_checks.h"

namespace loupe::test {
namespace {

// y[n, k] = x[n, index[n, k]] and total[n] = Σ x[n, f], in either layout: integers, two outputs, either
// wanted or not.
class Lookup : public Op {
 public:
  enum Flaw {
    sound,
    wrong_second_output,
    forgets_absent_signal,
    needs_all_outputs,
    blocked_as_planar,
    depends_on_batch
  };
  explicit Lookup(Flaw f) : flaw(f) {}
  const OpKind& kind() const override;
  std::vector<Type> infer(Types inputs) const override {
    if (inputs.size() != 2 || inputs[1].dtype != Dtype::i32)
      throw UsageError("lookup takes x and indices of i32");
    return {{Dtype::f32, inputs[1].shape}, {Dtype::f32, {inputs[0].shape[0], 1}}};
  }
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
  Needs needs(Direction) const override { return {.operands = 2}; }
  int64_t accumulation_length(Direction d, Shapes s) const override {
    return d.is_forward() ? s[0][1] : s[1][1] + 1;
  }
  const Flaw flaw;
};

Lookup::Flaw flaw_of(const Op& op, const Array& a) {
  return a.dtype == Dtype::f32 ? static_cast<const Lookup&>(op).flaw : Lookup::sound;
}

// Where row n begins.
template <typename T>
T* row(const Array& a, int64_t n, Lookup::Flaw flaw = Lookup::sound) {
  const bool padded = a.layout == Layout::blocked && flaw != Lookup::blocked_as_planar;
  return a.as<T>() + n * (padded ? round_up(a.shape[1], kBlock) : a.shape[1]);
}

template <typename T>
void zero_row_padding(const Array& a, int64_t n) {
  if (a && a.layout == Layout::blocked)
    for (int64_t f = a.shape[1]; f < round_up(a.shape[1], kBlock); ++f) row<T>(a, n)[f] = 0;
}

void lookup(const Op& op, const Arguments& a) {
  with_float_type(a.inputs[0].dtype, [&](auto t) {
    using T = decltype(t);
    const Lookup::Flaw flaw = flaw_of(op, a.inputs[0]);
    for (int64_t n = 0; n < a.inputs[0].shape[0]; ++n) {
      const T* x = row<T>(a.inputs[0], n, flaw);
      T sum = 0;
      for (int64_t f = 0; f < a.inputs[0].shape[1]; ++f) sum += x[f];
      if (a.outputs[1]) *row<T>(a.outputs[1], n) = flaw == Lookup::wrong_second_output ? 2 * sum : sum;
      zero_row_padding<T>(a.outputs[1], n);
      if (!a.output || (flaw == Lookup::needs_all_outputs && !a.outputs[1])) continue;
      for (int64_t k = 0; k < a.output.shape[1]; ++k)
        row<T>(a.output, n)[k] =
            x[flaw == Lookup::depends_on_batch && a.output.shape[0] > 2 ? 0
                                                                        : row<int32_t>(a.inputs[1], n)[k]];
      zero_row_padding<T>(a.output, n);
    }
  });
}

void lookup_vjp(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t n = 0; n < a.grad.shape[0]; ++n) {
      const bool total =
          a.grad_outputs[1] && !(flaw_of(op, a.grad) == Lookup::forgets_absent_signal && !a.grad_output);
      for (int64_t f = 0; f < a.grad.shape[1]; ++f)
        row<T>(a.grad, n)[f] = total ? *row<T>(a.grad_outputs[1], n) : 0;
      zero_row_padding<T>(a.grad, n);
      if (!a.grad_output) continue;
      for (int64_t k = 0; k < a.grad_output.shape[1]; ++k)
        row<T>(a.grad, n)[row<int32_t>(a.inputs[1], n)[k]] += row<T>(a.grad_output, n)[k];
    }
  });
}

const OpKind lookup_kind{
    "lookup",
    "picks and a sum",
    {{Direction::forward, lookup, lookup}, {Direction::vjp_input, lookup_vjp, lookup_vjp}},
    {"input", "index"}};
const OpKind& Lookup::kind() const { return lookup_kind; }

std::string failures_of(Lookup::Flaw flaw) {
  const OpPtr op = std::make_shared<Lookup>(flaw);
  const OpSuite suite{
      .cases = {{"two rows", op, {{2, 5}, {2, 3}}, {Draw::uniform, Draw::indices}, 5},
                {"more than a block", op, {{3, 19}, {3, 18}}, {Draw::uniform, Draw::indices}, 19}},
      .rejections = {{"float indices",
                      [=] {
                        infer(op, {{1, 3}, {1, 2}});
                      },
                      "indices of i32"}},
      .linear = true};
  std::string all;
  for (const std::string& f : check_op(lookup_kind, suite)) all += f + "\n";
  return all;
}

// y = 2x, which can add a residual, apply ReLU and, on the way back, a row of it.
class Double : public Op {
 public:
  enum Flaw { sound, residual_after_function, forgets_record, guided_as_slope, deconvnet_as_slope };
  explicit Double(Flaw f) : flaw(f) {}
  const OpKind& kind() const override;
  Shape shape(Shapes inputs) const override {
    expect_inputs("double", inputs, 1);
    return inputs[0];
  }
  bool fuses(Backend, Direction, const Epilogue& e, Shapes) const override {
    return !e.function || e.function == relu()->function();
  }
  const Flaw flaw;
};

// A result and its place in a row of `image` numbers.
template <typename T>
T finished(Double::Flaw flaw, const Arguments& a, T value, int64_t i, int64_t image) {
  using Row = Epilogue::Row;
  const Epilogue& e = a.epilogue;
  const bool late = flaw == Double::residual_after_function && e.function && a.direction.is_forward();
  const T residual = e.residual ? a.residual.as<T>()[i] : T(0);
  if (e.residual && !late) value += residual;
  const int64_t bit = i / image * round_up(image, 8) + i % image;
  uint8_t* mask = a.epilogue_record ? a.epilogue_record.as<uint8_t>() + bit / 8 : nullptr;
  const auto one = static_cast<uint8_t>(1 << bit % 8);
  if (a.direction.is_forward()) {
    if (!e.function) return value;
    const bool on = value > 0;
    if (mask) *mask = static_cast<uint8_t>((bit % 8 == 0 || i % image == 0 ? 0 : *mask) | (on ? one : 0));
    if (mask && flaw == Double::forgets_record) *mask = 0;
    return (on ? value : T(0)) + (late ? residual : T(0));
  }
  Row r = e.row;
  if ((flaw == Double::guided_as_slope && r == Row::guided) ||
      (flaw == Double::deconvnet_as_slope && r == Row::deconvnet && mask))
    r = Row::slope;
  if (r == Row::guided || r == Row::deconvnet) value = value > 0 ? value : T(0);
  if (r == Row::slope || r == Row::guided) value = *mask & one ? value : T(0);
  return value;
}

void twice(const Op& op, const Arguments& a) {
  const Array &from = a.direction.is_forward() ? a.inputs[0] : a.grad_output,
              &to = a.direction.is_forward() ? a.output : a.grad;
  with_float_type(to.dtype, [&](auto t) {
    using T = decltype(t);
    const int64_t image = to.shape.numel() / to.shape[0];
    for (int64_t i = 0; i < to.shape.numel(); ++i)
      to.as<T>()[i] = finished(static_cast<const Double&>(op).flaw, a, 2 * from.as<T>()[i], i, image);
  });
}

const OpKind double_kind{
    "double", "2x", {{Direction::forward, twice, twice}, {Direction::vjp_input, twice, twice}}};
const OpKind& Double::kind() const { return double_kind; }

std::string failures_of(Double::Flaw flaw) {
  const OpSuite suite{.cases = {{"odd rows", std::make_shared<Double>(flaw), {{3, 5, 7}}}},
                      .rejections = {},
                      .linear = true,
                      .exact = true};
  std::string all;
  for (const std::string& f : check_op(double_kind, suite)) all += f + "\n";
  return all;
}

bool says(const std::string& failures, const std::string& text) {
  return failures.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("integers, two outputs and both layouts: sound ones pass, planted bugs are found") {
  CHECK(failures_of(Lookup::sound) == "");
  CHECK(says(failures_of(Lookup::wrong_second_output), "agreement: forward at (0, 0): expected"));
  CHECK(says(failures_of(Lookup::forgets_absent_signal), "vjp_input without a signal at output 0"));
  CHECK(says(failures_of(Lookup::needs_all_outputs), "the result at (0, 0) was not written"));
  CHECK(says(failures_of(Lookup::blocked_as_planar), "forward on cpu f32, blocked"));
  CHECK(says(failures_of(Lookup::depends_on_batch), "in a batch of"));
}

TEST_CASE("epilogues: sound ones pass, planted bugs are found") {
  CHECK(failures_of(Double::sound) == "");
  CHECK(says(failures_of(Double::residual_after_function), "forward with a residual and relu fused at"));
  CHECK(says(failures_of(Double::forgets_record), "forward with relu fused, the epilogue's record at"));
  CHECK(says(failures_of(Double::guided_as_slope), "vjp_input with relu's guided fused at"));
  CHECK(says(failures_of(Double::deconvnet_as_slope), "vjp_input with relu's deconvnet fused at"));
}

}  // namespace loupe::test
