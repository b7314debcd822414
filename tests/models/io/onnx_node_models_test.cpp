// The backend node tests of the `onnx` package, where tests/oracle/onnx_node_tests.py has written them into the folder of other
// people's networks.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/support/onnx_nodes.h"

namespace loupe {

TEST_CASE("every node test of the onnx package that Loupe supports passes, and those are many") {
  const std::filesystem::path folder = std::filesystem::path(std::getenv("LOUPE_TEST_MODELS")) / "onnx_node";
  if (!std::filesystem::is_directory(folder)) {
    std::printf("skipped: %s is not there; tests/oracle/onnx_node_tests.py writes it\n", folder.c_str());
    std::exit(77);
  }
  const OnnxNodeReport report = run_onnx_nodes(folder);
  std::fputs(report.str().c_str(), stdout);
  CHECK(report.failures.empty());
  CHECK(report.supported == report.passed);
  CHECK(report.passed >= 600);
}

}  // namespace loupe
