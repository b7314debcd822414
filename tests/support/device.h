// For tests that need a device.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernels/common/error.h"
#include "kernels/common/op.h"

namespace loupe::test {

/// Ends the program with status 77, which ctest reports as skipped, where a device cannot be used. A
/// simulator that was built must work: then nothing is skipped, and the test fails.
inline void skip_without(Backend device) {
  try {
    DeviceModule::of(device);
  } catch (const Error& e) {
    if (device == Backend::sim && DeviceModule::status(device).starts_with('/')) throw;
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
