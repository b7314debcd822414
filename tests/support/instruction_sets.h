// The instruction sets that tests compare.
#pragma once
#include <algorithm>
#include <array>

#include "hwy/targets.h"
#include "kernels/common/build_info.h"

namespace loupe::test {

inline constexpr std::array<int64_t, 2> kInstructionSets = {HWY_AVX2, HWY_AVX3};

/// True where the kernels are compiled for both (under sanitizers they are not) and this machine has both.
inline bool has_both_instruction_sets() {
  constexpr int64_t both = HWY_AVX2 | HWY_AVX3;
  return std::ranges::count(simd_targets(), "AVX-512") && (hwy::SupportedTargets() & both) == both;
}

}  // namespace loupe::test
