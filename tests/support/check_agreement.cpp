// Every direction of a backend against ref in double, within the bound of op_checks.h.
#include <cmath>
#include <cstring>

#include "tests/support/case_checks.h"

namespace loupe::test {

namespace {

// Masks, switches and copies follow from exact numbers, so there is nothing to tolerate.
void same_record(const CaseChecks& c, const Target& t, const Stored& oracle, const Stored& result,
                 const Operands& o) {
  const Numbers expected = oracle.numbers(), got = result.numbers();
  Numbers bounds(got.size());
  if (c.suite.record_magnitude) {
    bounds = c.suite.record_magnitude(o);
    for (double& b : bounds) b *= gamma(c.roundings(Direction::forward, o), kUnit32);
  }
  for (size_t i = 0; i < got.size(); ++i)
    if (!(std::fabs(expected[i] - got[i]) <= bounds[i]))
      return c.fail("agreement", "the record on " + t.name() + " at " +
                                     coordinates(result.shape, static_cast<int64_t>(i)) + ": expected " +
                                     number(expected[i]) + ", got " + number(got[i]) + ", bound " +
                                     number(bounds[i]));
}

void compare(const CaseChecks& c, Direction d, const Stored& oracle, const Stored& result, const double* m,
             double n, bool exact) {
  const Numbers expected = oracle.numbers(), got = result.numbers();
  const bool integers = result.dtype != Dtype::f32;
  for (size_t i = 0; i < got.size(); ++i) {
    const double bound = exact || integers ? 0 : gamma(n, kUnit32) * m[i];
    const double want = exact ? static_cast<double>(static_cast<float>(expected[i])) : expected[i];
    const bool fine =
        exact ? std::memcmp(&want, &got[i], sizeof want) == 0 : std::fabs(got[i] - want) <= bound;
    if (!fine)
      return c.fail("agreement", c.name(d) + " at " + coordinates(result.shape, static_cast<int64_t>(i)) +
                                     ": expected " + number(want) + ", got " + number(got[i]) + ", bound " +
                                     number(bound));
  }
}

}  // namespace

void compare(const CaseChecks& c, Direction d, const Result& oracle, const Result& result, const Numbers& m,
             double n, bool exact) {
  compare(c, d, oracle.value, result.value, m.data(), n, exact);
  const double* next = m.data() + oracle.value.shape.numel();
  for (size_t k = 0; k < oracle.more.size(); next += oracle.more[k++].shape.numel())
    compare(c, d, oracle.more[k], result.more[k], next, n, exact);
}

void check_agreement(const CaseChecks& c, const Target& t) {
  Operands o = c.operands();
  const Direction forward = Direction::forward;
  const Result oracle = c.call_on(kOracle, forward, o);
  const Result result = c.after_forward(t, o);
  compare(c, forward, oracle, result, c.magnitude(forward, o), c.roundings(forward, o), c.suite.exact);
  if (oracle.record.has_value() != result.record.has_value())
    return c.fail("agreement", "the tape's record is missing");
  if (oracle.record) same_record(c, t, *oracle.record, *result.record, o);
  // The vjps start from what this backend's forward left, on either side: a tie broken by rounding is
  // forward's affair.
  for (const Direction d : c.steps(t.backend)) {
    if (d.is_forward()) continue;
    c.guarded(c.name(d) + " on " + t.name(), [&] {
      compare(c, d, c.call_on(kOracle, d, o), c.call_on(t, d, o), c.magnitude(d, o), c.roundings(d, o),
              false);
    });
  }
}

}  // namespace loupe::test
