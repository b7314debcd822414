// onnx_nodes DIR [PART [--names]]: runs the node tests that onnx_node_tests.py wrote into DIR, those whose names contain PART, and
// prints how many pass and why the others are not supported. --names: what became of each.
#include <cstdio>
#include <cstring>

#include "tests/support/onnx_nodes.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: onnx_nodes DIR [PART [--names]]\n");
    return 2;
  }
  try {
    const loupe::OnnxNodeReport report = loupe::run_onnx_nodes(argv[1], argc > 2 ? argv[2] : "");
    if (argc > 3 && !std::strcmp(argv[3], "--names"))
      for (const auto& [name, what] : report.by_name) std::printf("%-70s %s\n", name.c_str(), what.c_str());
    std::fputs(report.str().c_str(), stdout);
    return report.failures.empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "onnx_nodes: %s\n", error.what());
    return 2;
  }
}
