#include "kernels/common/build_info.h"

#include "hwy/targets.h"

namespace loupe {

namespace {
std::string target_name(int64_t target) {
  switch (target) {
    case HWY_EMU128:
    case HWY_SCALAR:
      return "scalar";
    case HWY_AVX3:
      return "AVX-512";
    default:
      return hwy::TargetName(target);
  }
}

// A lower bit is a better target.
std::vector<std::string> names(int64_t targets) {
  std::vector<std::string> list;
  for (; targets != 0; targets &= targets - 1) list.push_back(target_name(targets & -targets));
  return list;
}
}  // namespace

std::string compiler_name() {
#if defined(__clang__)
  const std::string name = "Clang " __clang_version__;
#elif defined(__GNUC__)
  const std::string name = "GCC " __VERSION__;
#else
  const std::string name = "an unknown compiler";
#endif
  const std::string type = LOUPE_BUILD_TYPE;
  return name.substr(0, name.find_last_not_of(' ') + 1) + (type.empty() ? "" : ", " + type);
}

std::vector<std::string> simd_targets() { return names(HWY_TARGETS); }
std::string simd_target_here() { return names(hwy::SupportedTargets() & HWY_TARGETS).at(0); }
std::string cuda_toolkit() { return LOUPE_CUDA_TOOLKIT; }

}  // namespace loupe
