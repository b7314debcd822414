// The executable `op_cases`: one TEST_CASE("<op>: case table"), "<op>: sim" and "<op>: cuda" for each op,
// generated from the names of the files tests/**/<op>.cases.cpp.
#pragma once
#include <string_view>

#include "tests/support/op_suite.h"

namespace loupe::test {

/// Reports every failure of check_op() to doctest.
void check_suite(std::string_view op, const OpSuite& suite);
/// Those of check_op_on(); ends the program with status 77, "skipped", where there is no such device.
void check_suite_on(Backend device, std::string_view op, const OpSuite& suite);
/// The rungs of the op's ladder, by the same cases.
void check_ladder_on(Backend device, std::string_view op, const OpSuite& suite);

}  // namespace loupe::test
