// Kernels with a planted bug each, and the same kernels without it (`planted` false). They live in a
// simulator module of their own, libloupe_sim_tests.so.
#pragma once
#include "kernels/common/device.h"

namespace loupe::device {

/// `out` and `in` hold 256 floats, except where a comment says otherwise. Every launch is one or more blocks
/// of 64.
using BugKernel = DeviceFunction<void(bool planted, float* out, const float* in)>;

inline constexpr BugKernel missing_barrier{"missing_barrier"};
inline constexpr BugKernel missing_barrier_before_reuse{"missing_barrier_before_reuse"};
inline constexpr BugKernel divergent_barrier{"divergent_barrier"};
inline constexpr BugKernel different_barriers{"different_barriers"};
inline constexpr BugKernel barrier_after_return{"barrier_after_return"};
inline constexpr BugKernel shuffle_names_absent_lane{"shuffle_names_absent_lane"};
inline constexpr BugKernel shuffle_names_ended_lane{"shuffle_names_ended_lane"};
inline constexpr BugKernel shuffle_with_wrong_mask{"shuffle_with_wrong_mask"};
inline constexpr BugKernel missing_copy_wait{"missing_copy_wait"};
inline constexpr BugKernel copy_wait_without_barrier{"copy_wait_without_barrier"};
inline constexpr BugKernel uncommitted_copy{"uncommitted_copy"};
inline constexpr BugKernel uninitialised_shared{"uninitialised_shared"};
inline constexpr BugKernel past_the_end{"past_the_end"};
inline constexpr BugKernel before_the_beginning{"before_the_beginning"};
inline constexpr BugKernel between_allocations{"between_allocations"};
inline constexpr BugKernel past_shared{"past_shared"};
inline constexpr BugKernel misaligned_vector{"misaligned_vector"};
inline constexpr BugKernel race_between_warps{"race_between_warps"};
inline constexpr BugKernel race_in_global{"race_in_global"};
inline constexpr BugKernel race_between_blocks{"race_between_blocks"};
inline constexpr BugKernel race_within_warp{"race_within_warp"};
inline constexpr BugKernel host_pointer{"host_pointer"};
inline constexpr BugKernel null_pointer{"null_pointer"};
inline constexpr BugKernel writes_constant{"writes_constant"};

// ---- and kernels that are right

/// out[0] = the sum of in, by atomics on integers; out holds one int.
inline constexpr DeviceFunction<void(int* out, const int* in, int64_t n)> atomic_sum{"atomic_sum"};
/// out[i] = scale · in[i] with the scale in constant memory.
inline constexpr DeviceFunction<void(float scale, float* out, const float* in)> scale_by_constant{
    "scale_by_constant"};
/// d = a·b + c of row-major tiles 16×K, K×8, 16×8 by tensor cores. type: 0 tf32 (K = 8), 1 bf16, 2 f16 (K =
/// 16).
inline constexpr DeviceFunction<void(int type, const float* a, const float* b, const float* c, float* d)>
    mma_tile{"mma_tile"};
/// out[0…31] of votes and shuffles, one each lane; `which` picks the operation.
inline constexpr DeviceFunction<void(int which, uint32_t mask, float* out, const float* in)> warp_operation{
    "warp_operation"};
/// out[i] = in[i] + 1.
inline constexpr DeviceFunction<void(float* out, const float* in)> add_one{"add_one"};
/// out[i] = the order in which thread i of 256 ran.
inline constexpr DeviceFunction<void(int* out, int* counter)> record_order{"record_order"};
/// out[i] = in[255 - i], through static and dynamic shared memory at once.
inline constexpr DeviceFunction<void(float* out, const float* in)> reverse_twice{"reverse_twice"};

/// *out = where dynamic shared memory begins, mod 1024.
inline constexpr DeviceFunction<void(int* out)> shared_address{"shared_address"};

}  // namespace loupe::device
