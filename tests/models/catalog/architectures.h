#pragma once
#include <string>

namespace loupe::test {

/// Runs the architecture `name` on a device and compares it with tests/golden/architectures/<name>.json.
void check_architecture(const std::string& device, const std::string& name);

}  // namespace loupe::test
