// Which machine a .cu is compiled for: the GPU (namespace loupe::gpu, by nvcc) or the simulator (namespace
// loupe::sim, by the host's compiler). Kernels live in namespace loupe::LOUPE_TARGET, so both builds of one
// source can be in one process.
//
// LOUPE_KERNEL_FOR(threads, blocks) is a LOUPE_KERNEL for blocks of so many threads, of which a
// multiprocessor should hold `blocks` at once: the compiler then takes no more registers than that allows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

#if defined(__CUDACC__) || defined(LOUPE_GPU)  // nvcc; the host's compiler for kernels/gpu
#define LOUPE_TARGET gpu
#define LOUPE_KERNEL static __global__ void
#define LOUPE_KERNEL_FOR(threads, blocks) static __global__ __launch_bounds__(threads, blocks) void
#define LOUPE_DEVICE __device__ __forceinline__
#define LOUPE_UNROLL _Pragma("unroll")
#elif defined(LOUPE_SIM)
#define LOUPE_TARGET sim
#define LOUPE_KERNEL static void
#define LOUPE_KERNEL_FOR(threads, blocks) static void
#define LOUPE_DEVICE inline __attribute__((always_inline))
#define LOUPE_UNROLL _Pragma("GCC unroll 16")
#else
#error "a .cu is compiled by nvcc, or for the simulator with LOUPE_SIM"
#endif

namespace loupe::LOUPE_TARGET {

inline constexpr int kWarp = 32;                    // lanes
inline constexpr uint32_t kAllLanes = 0xffffffffu;  // a mask that names them all

}  // namespace loupe::LOUPE_TARGET
