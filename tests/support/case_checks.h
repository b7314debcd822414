// One case of a suite under test: its operands, the calls that it makes, and the bounds on their results. The
// checks of op_checks.h are functions over it, a file each: check_<what>.cpp.
#pragma once
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/common/ladder.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"
#include "tests/support/sanitized.h"

namespace loupe::test {

using Failures = std::vector<std::string>;

/// splitmix64: the same numbers on every machine.
class Random {
 public:
  explicit Random(const std::string& seed);
  uint64_t next();
  int64_t below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }
  /// [-1, 1) in steps of 2⁻²³, so that float32 holds it.
  double uniform() { return static_cast<double>(below(1 << 24) - (1 << 23)) / (1 << 23); }
  double integer(int64_t bound) { return static_cast<double>(below(2 * bound + 1) - bound); }

 private:
  uint64_t state_ = 0xcbf29ce484222325u;
};
Numbers drawn(Random& random, Draw draw, const Shape& shape, int64_t limit);

/// Where a call is made.
struct Target {
  Backend backend;
  Dtype dtype;
  std::optional<Layout> layout = {};  // of an op that works in any
  std::string name() const;
};
inline constexpr Target kOracle{Backend::ref, Dtype::f64};

inline constexpr double kUnit32 = 0x1p-24, kUnit64 = 0x1p-53;
inline double gamma(double n, double unit) { return n * unit / (1 - n * unit); }

Numbers magnitudes(Numbers v);
double dot(const Numbers& a, const Numbers& b);
std::string number(double x);
/// All that a call computes, but for records: the outputs' elements, one output after the other.
Numbers flat(const Result& r);

class CaseChecks {
 public:
  /// `reached` collects the table's cells that calls were made of.
  using Reached = std::set<std::pair<Backend, Direction>>;
  CaseChecks(const OpKind& kind, const OpSuite& suite, const OpCase& c, Failures& failures, Reached& reached,
             std::span<const Backend> backends, const Rung* rung = nullptr);

  void run();

  const OpKind& kind;
  const OpSuite& suite;
  const OpCase& test;
  const Op& op;

  // ---- failures
  void fail(const std::string& check, const std::string& text) const;
  template <typename Body>
  void guarded(const std::string& check, const Body& body) const {
    try {
      body();
    } catch (const std::exception& e) {
      fail(check, e.what());
    }
  }
  void expect_same(const Stored& expected, const Stored& got, const std::string& check,
                   const std::string& what) const;
  /// Bit for bit, records that both have too.
  void expect_same(const Result& expected, const Result& got, const std::string& check,
                   const std::string& what) const;

  // ---- operands
  /// Operands for given ones of these shapes, with all that the suite's draws say.
  Operands draw(const std::vector<Shape>& shapes) const;
  /// As drawn for the case's own shapes, with what ref in double leaves.
  const Operands& operands() const { return operands_; }
  size_t given() const { return test.given.value_or(test.inputs.size()); }
  Draw draw_of(size_t operand) const;
  bool is_real(size_t operand) const;
  bool batched(size_t operand) const { return operand < given() && !(test.unbatched >> operand & 1); }
  /// Of an operand after the given ones.
  std::optional<ParameterSpec::Role> role_of(size_t operand, const Operands& o) const;
  std::vector<Type> outputs(const std::vector<Shape>& shapes) const;

  // ---- calls
  /// float on every backend, in every layout that the op takes there.
  std::vector<Target> targets() const;
  /// What `backend` has a kernel for, of operands that have a derivative.
  std::vector<Direction> steps(Backend backend) const;
  bool is_input(Direction d) const { return d.operand >= 0 && static_cast<size_t>(d.operand) < given(); }
  std::string name(Direction d) const { return kind.direction_name(d); }
  How how(const Target& t, Direction d) const;
  Result call_on(const Target& t, Direction d, const Operands& o) const;
  /// Runs forward and leaves y and the record in `o`, for the vjps.
  Result after_forward(const Target& t, Operands& o) const;

  // ---- bounds
  double roundings(Direction d, const Operands& o) const;
  /// M of op_checks.h: the magnitude of the terms behind every element of flat(a step's result).
  Numbers magnitude(Direction d, const Operands& o) const;

 private:
  bool has(Backend b, Direction d) const;
  Kernel rung_kernel(Direction d) const;
  Operands absolute(Operands o) const;

  Failures& failures_;
  Reached& reached_;
  std::span<const Backend> backends_;
  const Rung* rung_;  // null: the op's own kernels
  Operands operands_;
};

// ---- the checks
void check_agreement(const CaseChecks&, const Target&);
/// One direction's result against the oracle's, within the bound or, `exact`, to the bit.
void compare(const CaseChecks&, Direction, const Result& oracle, const Result& result, const Numbers& m,
             double n, bool exact);
void check_repeatability(const CaseChecks&, const Target&);
void check_instruction_sets(const CaseChecks&);
void check_variants(const CaseChecks&, const Target&);
void check_epilogues(const CaseChecks&, const Target&);
void check_derivatives(const CaseChecks&);
void check_adjoints(const CaseChecks&);

}  // namespace loupe::test
