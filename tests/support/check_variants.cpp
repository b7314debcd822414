// Variants of a call that must not change its bits: in place, without a tape, as a view, with an output that
// nobody wants or a signal that is zero; and the bias that a folded batch norm adds.
#include <cmath>

#include "tests/support/case_checks.h"

namespace loupe::test {

namespace {

Layout layout_of(const CaseChecks& c, const Target& t, const Shape& shape) {
  return layout_on(t.backend, c.op.layout(t.backend, c.operands().shapes), t.layout, shape);
}

void in_place(const CaseChecks& c, const Target& t, const Operands& o, const std::string& check) {
  for (const Direction d : c.steps(t.backend)) {
    const size_t operand = d.is_forward() ? 0 : static_cast<size_t>(d.operand);
    if (operand >= c.given() || o.shapes[operand] != o.output->shape) continue;
    How h = c.how(t, d);
    h.in_place = true;
    c.expect_same(c.call_on(t, d, o), call(c.op, d, h, o), check, c.name(d) + " in place");
  }
}

void views(const CaseChecks& c, const Target& t, const Operands& o, const std::string& check) {
  if (c.op.is_view(layout_of(c, t, o.shapes[0]), o.shapes)) {
    const Stored x = Stored::of(o.inputs[0], t.dtype, o.shapes[0], layout_of(c, t, o.shapes[0]));
    if (x.bytes != o.output->bytes) c.fail(check, "is_view() is true, but forward changes bytes");
  }
  if (!c.op.vjp_is_identity(o.shapes)) return;
  const Shape& y = o.output->shape;
  const Stored signal = Stored::of(o.grad_output, t.dtype, y, layout_of(c, t, y));
  for (const Direction d : c.steps(t.backend))
    if (c.is_input(d) && c.call_on(t, d, o).value.bytes != signal.bytes)
      c.fail(check, "vjp_is_identity() is true, but " + c.name(d) + " changes bytes");
}

// Of an op with several outputs.
void missing_outputs(const CaseChecks& c, const Target& t, const Result& plain, const Operands& o,
                     const std::string& check) {
  for (size_t k = 0; k <= plain.more.size(); ++k) {
    const std::string without = " without output " + std::to_string(k);
    How h = c.how(t, Direction::forward);
    h.unwanted = static_cast<int>(k);
    const Result part = call(c.op, Direction::forward, h, o);
    if (k) c.expect_same(plain.value, part.value, check, "forward" + without);
    for (size_t j = 0; j < plain.more.size(); ++j)
      if (j + 1 != k) c.expect_same(plain.more[j], part.more[j], check, "forward" + without);
    Operands zero = o, none = o;
    Numbers& g = k ? zero.more_grad_outputs[k - 1] : zero.grad_output;
    g.assign(g.size(), 0);
    (k ? none.more_grad_outputs[k - 1] : none.grad_output).clear();
    for (const Direction d : c.steps(t.backend))
      if (!d.is_forward())
        c.expect_same(c.call_on(t, d, zero), c.call_on(t, d, none), check,
                      c.name(d) + " without a signal at output " + std::to_string(k));
  }
}

// Folding a batch norm gives a bias to an op configured without one.
void added_bias(const CaseChecks& c, const Target& t) {
  const Shape& weight = c.operands().shapes[1];
  const int dim = *c.op.folds_batch_norm();
  Random random(c.test.name + "/bias");
  Operands o = c.operands();
  o.shapes.push_back({weight[dim]});
  o.inputs.push_back(drawn(random, Draw::uniform, o.shapes.back(), 0));
  const Numbers m = c.magnitude(Direction::forward, o);
  const double n = c.roundings(Direction::forward, o);
  const Result with = c.call_on(kOracle, Direction::forward, o);
  compare(c, Direction::forward, with, c.call_on(t, Direction::forward, o), m, n, false);
  // The oracle's own use of the bias: y − y without it is the bias of the channel, the axis 1 of maps, the
  // last of rows.
  const Shape& y = with.value.shape;
  size_t inner = 1;
  for (int i = weight.rank() == 2 ? y.rank() : 2; i < y.rank(); ++i) inner *= static_cast<size_t>(y[i]);
  const Numbers a = with.value.numbers(), b = c.operands().output->numbers(), &bias = o.inputs.back();
  for (size_t i = 0; i < a.size(); ++i) {
    const double more = bias[i / inner % bias.size()];
    if (!(std::fabs(a[i] - b[i] - more) <= 2 * gamma(n, kUnit64) * m[i]))
      return c.fail("variants", "an added bias on ref at " + coordinates(y, static_cast<int64_t>(i)) +
                                    ": expected " + number(more) + " more, got " + number(a[i] - b[i]));
  }
}

}  // namespace

void check_variants(const CaseChecks& c, const Target& t) {
  Operands o = c.operands();
  const Result plain = c.after_forward(t, o);
  const std::string check = "variants on " + t.name();
  How h = c.how(t, Direction::forward);
  h.tape = false;
  if (plain.record)
    c.expect_same(plain.value, call(c.op, Direction::forward, h, o).value, check, "forward without a tape");
  if (c.op.in_place()) in_place(c, t, o, check);
  views(c, t, o, check);
  if (!plain.more.empty()) missing_outputs(c, t, plain, o, check);
  if (c.op.folds_batch_norm() && o.shapes.size() == 2) added_bias(c, t);
}

}  // namespace loupe::test
