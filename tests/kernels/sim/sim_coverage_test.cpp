// No kernel exists that CI has not executed: every kernel of the simulator's module, template instances one
// by one, was run by the op, ladder, library and optimizer tests, which ctest runs before this one (their
// fixture is sim_coverage).
// ctest: FIXTURES_REQUIRED sim_coverage
#include <doctest/doctest.h>

#include <set>

#include "tests/support/device.h"
#include "tests/support/kernels_run.h"

namespace loupe::test {

TEST_CASE("every kernel has run") {
  skip_without(Backend::sim);
  std::set<std::string> run;
  int files = 0;
  if (std::filesystem::exists(kernels_run_folder()))
    for (const auto& entry : std::filesystem::directory_iterator(kernels_run_folder())) {
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) run.insert(line);
      ++files;
    }
  REQUIRE_MESSAGE(files > 0,
                  "no test has left its kernels; run `ctest -R sim_coverage`, which runs them first");
  const auto kernels = nlohmann::json::parse(DeviceModule::of(Backend::sim).query("kernels")).at("all");
  CHECK(kernels.size() > 60);  // or their names are no longer found
  for (const auto& kernel : kernels) {
    const std::string name = kernel;
    CHECK_MESSAGE(run.contains(name), name, " has run in no test: add a case that reaches it");
  }
  MESSAGE(kernels.size(), " kernels, all run");
}

}  // namespace loupe::test
