#include "tests/support/op_checks.h"

#include <algorithm>
#include <set>

#include "tests/support/case_checks.h"

namespace loupe::test {

namespace {

using Reached = CaseChecks::Reached;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

void check_rejection(const OpKind& kind, const Rejection& r, Failures& failures) {
  const std::string start = std::string(kind.name) + ", rejection \"" + r.name + "\": ";
  try {
    r.attempt();
    failures.push_back(start + "was accepted");
  } catch (const UsageError& e) {
    const std::string text = e.what();
    if (!contains(text, r.message))
      failures.push_back(start + "says \"" + text + "\", without \"" + r.message + "\"");
    if (contains(text, "\n")) failures.push_back(start + "says more than one line");
  } catch (const std::exception& e) {
    failures.push_back(start + "is not a UsageError, but: " + e.what());
  }
}

void check_cell(const OpKind& kind, Direction d, Backend b, const Reached& reached, Failures& failures) {
  const std::string name = kind.direction_name(d);
  const std::string cell = std::string(kind.name) + ", " + name + " on " + std::string(backend_name(b));
  if (kind.has(b, d)) {
    if (!reached.contains({b, d})) failures.push_back(cell + ": no case reaches this kernel");
    return;
  }
  try {
    kind.kernel(b, d);
    failures.push_back(cell + ": an empty cell gave a kernel");
  } catch (const Error& e) {
    for (std::string_view part : {kind.name, std::string_view(name), backend_name(b)})
      if (!contains(e.what(), part))
        failures.push_back(cell + ": the error does not name " + std::string(part) + ": " + e.what());
  }
}

void check_table(const OpKind& kind, bool forward_only, const Reached& reached,
                 std::span<const Backend> backends, Failures& failures) {
  const int operands = kind.variadic ? 1 : static_cast<int>(kind.operands.size());
  for (Backend b : backends)
    for (int i = -1; i < operands; ++i) check_cell(kind, {i}, b, reached, failures);
  bool vjp = false;
  for (const OpKind::Row& row : kind.kernels) {
    vjp |= !row.direction.is_forward() && row.ref;
    if (row.direction.operand >= operands)
      failures.push_back(std::string(kind.name) + ": has a row for an operand without a name");
  }
  if (!kind.has(Backend::ref, Direction::forward))
    failures.push_back(std::string(kind.name) + ": has no forward on ref");
  if (vjp == forward_only)
    failures.push_back(std::string(kind.name) +
                       (forward_only ? ": has a vjp after all" : ": has no vjp on ref"));
}

Failures check(const OpKind& kind, const OpSuite& suite, std::span<const Backend> backends) {
  Failures failures;
  Reached reached;
  std::set<std::string> names;
  if (suite.cases.empty()) failures.push_back(std::string(kind.name) + ": its suite has no case");
  for (const OpCase& c : suite.cases) {
    if (!names.insert(c.name).second)
      failures.push_back(std::string(kind.name) + ": two cases are named \"" + c.name + "\"");
    CaseChecks(kind, suite, c, failures, reached, backends).run();
  }
  for (const Rejection& r : suite.rejections) check_rejection(kind, r, failures);
  check_table(kind, suite.forward_only, reached, backends, failures);
  return failures;
}

}  // namespace

std::vector<std::string> check_op(const OpKind& kind, const OpSuite& suite) {
  constexpr Backend kHost[] = {Backend::ref, Backend::cpu};
  return check(kind, suite, kHost);
}

std::vector<std::string> check_op_on(Backend device, const OpKind& kind, const OpSuite& suite) {
  return check(kind, suite, {&device, 1});
}

std::vector<std::string> check_rung_on(Backend device, const OpKind& kind, const OpSuite& suite,
                                       const Rung& rung) {
  Failures failures;
  Reached reached;
  for (const OpCase& c : suite.cases)
    CaseChecks(kind, suite, c, failures, reached, {&device, 1}, &rung).run();
  if (!reached.contains({device, Direction::forward})) failures.push_back("no case ran it");
  return failures;
}

}  // namespace loupe::test
