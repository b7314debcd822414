#include "tests/support/op_cases.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/device.h"
#include "tests/support/kernels_run.h"
#include "tests/support/op_checks.h"

namespace loupe::test {

namespace {

const OpKind& kind_named(std::string_view op) {
  const auto ops = all_ops();
  const auto kind = std::find_if(ops.begin(), ops.end(), [&](const OpKind* k) { return k->name == op; });
  REQUIRE_MESSAGE(kind != ops.end(), "all_ops() has no op named after kernels/…/", std::string(op),
                  ".op.cpp");
  return **kind;
}

}  // namespace

void check_suite(std::string_view op, const OpSuite& suite) {
  for (const std::string& failure : check_op(kind_named(op), suite)) FAIL_CHECK(failure);
}

void check_suite_on(Backend device, std::string_view op, const OpSuite& suite) {
  skip_without(device);
  for (const std::string& failure : check_op_on(device, kind_named(op), suite)) FAIL_CHECK(failure);
  if (device == Backend::sim) note_kernels_run("op." + std::string(op));
}

void check_ladder_on(Backend device, std::string_view op, const OpSuite& suite) {
  skip_without(device);
  for (const Ladder* ladder : all_ladders()) {
    if (ladder->op != op) continue;
    for (const Rung& rung : ladder->rungs)
      for (const std::string& failure : check_rung_on(device, kind_named(op), suite, rung))
        FAIL_CHECK(std::string(rung.name), ": ", failure);
  }
  if (device == Backend::sim) note_kernels_run("ladder." + std::string(op));
}

TEST_CASE("all_ops() is sorted, and every row has a name and a summary") {
  std::string_view before;
  for (const OpKind* kind : all_ops()) {
    CHECK(before < kind->name);
    CHECK(!kind->summary.empty());
    before = kind->name;
  }
  CHECK(!before.empty());
}

}  // namespace loupe::test
