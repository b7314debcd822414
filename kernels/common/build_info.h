// What this library was built with and what of it this machine uses, for people. Nothing is loaded for it.
#pragma once
#include <string>
#include <vector>

namespace loupe {

/// "GCC 12.2.0, Release"
std::string compiler_name();
/// Instruction sets that the cpu's kernels are compiled for, best first: "AVX-512", "AVX2", "scalar".
std::vector<std::string> simd_targets();
/// The one of them that runs here.
std::string simd_target_here();
/// "13.0.48": the CUDA toolkit that made the CUDA module; empty where none was built.
std::string cuda_toolkit();

}  // namespace loupe
