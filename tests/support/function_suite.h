// The case table of an elementwise function, made from what is known of it: every function of
// kernels/elementwise/functions has its tests by its file alone.
#pragma once
#include <string_view>
#include <vector>

#include "kernels/elementwise/elementwise.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

const OpSuite& function_suite(std::string_view name);
/// The function with its usual parameters and, if it has any, with several others.
std::vector<Function> with_parameters(std::string_view name);
/// Every function with all of these.
std::vector<Function> every_function();

}  // namespace loupe::test
