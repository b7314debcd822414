// The backend node tests of the `onnx` package, as tests/oracle/onnx_node_tests.py writes them, on `ref` and cpu.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace loupe {

/// What became of all tests of a folder.
struct OnnxNodeReport {
  int total = 0, supported = 0, passed = 0;
  int folded = 0;  // of those that passed: no node was left to run, the importer computed all
  std::vector<std::string> failures;           // "name: why"
  std::map<std::string, int> reasons;          // why tests are not supported, and how many
  std::map<std::string, std::string> by_name;  // of each test: "run", "folded", or why not

  /// The numbers, and the table of reasons.
  std::string str() const;
};

/// Runs the tests of `folder` whose names contain `part`. What the package feeds as floats is computed in a run
/// where Loupe can; where it must know an operand at import (a bound, a slope), all but the first are bound as
/// constants, and at last all are. Whole numbers, booleans and doubles are bound always.
OnnxNodeReport run_onnx_nodes(const std::filesystem::path& folder, const std::string& part = "");

}  // namespace loupe
