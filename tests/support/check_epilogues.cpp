// What a call does to its result before it stores it must be what the steps of their own would do, bit for
// bit: adding a residual and a function after forward, and on the way back the function's slope or a rule's
// row.
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/support/case_checks.h"

namespace loupe::test {

namespace {

// A function with a bit on the tape, one with a parameter, and two that keep x.
std::vector<OpPtr> fused_functions() { return {relu(), leaky_relu(0.125), gelu(), silu()}; }

// The steps of their own, in the layout that `like` lies in.
class Steps {
 public:
  Steps(const Target& t, const Stored& like)
      : how_{.backend = t.backend, .dtype = t.dtype, .layout = like.layout}, shape_(like.shape) {}

  Result apply(const Op& f, const Stored& x) const {
    return call(f, Direction::forward, how_, {.shapes = {shape_}, .inputs = {x.numbers()}, .given = 1});
  }
  Stored sum(const Stored& x, const Numbers& residual) const {
    return call(*add(), Direction::forward, how_,
                {.shapes = {shape_, shape_}, .inputs = {x.numbers(), residual}, .given = 2})
        .value;
  }
  Stored slope(const Op& f, const Numbers& x, const Result& y, const Stored& signal) const {
    return call(f, Direction::vjp_input, how_,
                {.shapes = {shape_},
                 .inputs = {x},
                 .given = 1,
                 .grad_output = signal.numbers(),
                 .output = y.value,
                 .record = y.record})
        .value;
  }

 private:
  How how_;
  Shape shape_;
};

std::string named(const CaseChecks& c, Direction d, const Op* f, const Epilogue& e) {
  constexpr const char* kRows[] = {"", "slope", "guided", "deconvnet"};
  std::string s = c.name(d) + " with ";
  if (e.residual) s += "a residual";
  if (e.residual && f) s += " and ";
  if (f) s += std::string(f->kind().name);
  if (e.row != Epilogue::Row::none) s += std::string(f ? "'s " : " ") + kRows[static_cast<int>(e.row)];
  return s + " fused";
}

void forward(const CaseChecks& c, const Target& t, const Operands& o, const Stored& plain, const Op* f,
             bool residual) {
  const Direction d = Direction::forward;
  const Epilogue e{.function = f ? f->function() : Function{}, .residual = residual};
  if (!e || !c.op.fuses(t.backend, d, e, o.shapes)) return;
  const Steps steps(t, plain);
  Operands with = o;
  Random random(c.test.name + "/residual");
  if (residual) with.residual = drawn(random, Draw::uniform, plain.shape, 0);
  Result expected{residual ? steps.sum(plain, with.residual) : plain};
  How h = c.how(t, d);
  h.epilogue = e;
  if (f) {
    const Result y = steps.apply(*f, expected.value);
    expected.value = y.value;
    expected.epilogue_record = y.record;
    h.epilogue_keeps = f->record({&plain.shape, 1});
  }
  const std::string check = "epilogues on " + t.name(), what = named(c, d, f, e);
  c.guarded(what, [&] { c.expect_same(expected, call(c.op, d, h, with), check, what); });
  h.tape = false;
  c.guarded(what, [&] {
    c.expect_same(expected.value, call(c.op, d, h, with).value, check, what + ", without a tape");
  });
}

void backward(const CaseChecks& c, const Target& t, Direction d, const Operands& o, const Stored& plain,
              const Op* f, Epilogue e) {
  using Row = Epilogue::Row;
  if (f) e.function = f->function();
  if (!e || !c.op.fuses(t.backend, d, e, o.shapes)) return;
  const Steps steps(t, plain);
  Random random(c.test.name + "/slope");
  const Numbers x = drawn(random, Draw::distinct, plain.shape, 0);
  Operands with = o;
  if (e.residual) with.residual = drawn(random, Draw::uniform, plain.shape, 0);
  Result expected{e.residual ? steps.sum(plain, with.residual) : plain};
  if (e.row == Row::guided || e.row == Row::deconvnet)
    expected.value = steps.apply(*relu(), expected.value).value;
  if (f) {
    const Result y = steps.apply(*f, Stored::of(x, t.dtype, plain.shape, plain.layout));
    with.epilogue_record = y.record;
    if (e.row != Row::deconvnet) expected.value = steps.slope(*f, x, y, expected.value);
  }
  How h = c.how(t, d);
  h.epilogue = e;
  const std::string check = "epilogues on " + t.name(), what = named(c, d, f, e);
  c.guarded(what, [&] { c.expect_same(expected, call(c.op, d, h, with), check, what); });
}

}  // namespace

void check_epilogues(const CaseChecks& c, const Target& t) {
  Operands o = c.operands();
  const Result plain = c.after_forward(t, o);
  const std::vector<OpPtr> all = fused_functions();
  for (const bool residual : {false, true}) {
    forward(c, t, o, plain.value, nullptr, residual);
    for (const OpPtr& f : all) forward(c, t, o, plain.value, f.get(), residual);
  }
  using Row = Epilogue::Row;
  for (const Direction d : c.steps(t.backend)) {
    if (!c.is_input(d)) continue;
    const Stored signal = c.call_on(t, d, o).value;
    for (const bool residual : {false, true}) {
      for (const Row row : {Row::none, Row::deconvnet})
        backward(c, t, d, o, signal, nullptr, {.residual = residual, .row = row});
      for (const Row row : {Row::slope, Row::guided, Row::deconvnet})
        for (const OpPtr& f : all) backward(c, t, d, o, signal, f.get(), {.residual = residual, .row = row});
    }
  }
}

}  // namespace loupe::test
