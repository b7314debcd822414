// For tests that need a device.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/common/error.h"
#include "kernels/common/op.h"

namespace loupe::test {

/// Sets what LOUPE_DEVICE_OPTIONS of the environment asks of device cuda, as "arena=plain" under
/// compute-sanitizer (bench/gpu/run).
inline void set_options_of_environment() {
  const char* set = std::getenv("LOUPE_DEVICE_OPTIONS");
  const std::string text = set ? set : "";
  if (const size_t equals = text.find('='); equals != std::string::npos)
    DeviceModule::of(Backend::cuda).configure(text.substr(0, equals), text.substr(equals + 1));
}

inline bool cuda_is_expected() {
  const char* expected = std::getenv("LOUPE_EXPECT_DEVICE");
  return expected && std::string(expected) == "cuda";
}

/// Ends the program with status 77, which ctest reports as skipped, where a device cannot be used. A
/// simulator that was built must work: then nothing is skipped, and the test fails. So must a GPU that
/// LOUPE_EXPECT_DEVICE names: bench/gpu/run has seen that there is one.
inline void skip_without(Backend device) {
  try {
    DeviceModule::of(device);
    if (device == Backend::cuda) set_options_of_environment();
  } catch (const Error& e) {
    if (device == Backend::sim && DeviceModule::status(device).starts_with('/')) throw;
    if (device == Backend::cuda && cuda_is_expected()) throw;
    std::printf("skipped: %s\n", e.what());
    std::fflush(stdout);
    std::_Exit(77);
  }
}

/// ref, cpu, and the simulator where it was built.
inline std::vector<Backend> host_and_simulator() {
  std::vector<Backend> all{Backend::ref, Backend::cpu};
  if (DeviceModule::status(Backend::sim).starts_with('/')) all.push_back(Backend::sim);
  return all;
}

}  // namespace loupe::test
