// Which kernels the tests have run in the simulator: each test that runs some leaves their names in a file,
// and sim_coverage_test finds the kernel that nobody ran.
#pragma once
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "kernels/common/op.h"

namespace loupe::test {

inline std::filesystem::path kernels_run_folder() { return LOUPE_BINARY_DIR "/sim_coverage"; }

/// At the end of the test called `test`.
inline void note_kernels_run(const std::string& test) {
  const auto kernels = nlohmann::json::parse(DeviceModule::of(Backend::sim).query("kernels"));
  std::filesystem::create_directories(kernels_run_folder());
  std::ofstream file(kernels_run_folder() / (test + ".txt"));
  for (const auto& name : kernels.at("run")) file << name.get<std::string>() << '\n';
}

}  // namespace loupe::test
