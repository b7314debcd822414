// Kernels of one warp (one has fewer lanes), made so that their traffic can be counted by hand (tracer_test).
#pragma once
#include "kernels/common/device.h"

namespace loupe::device {

/// A 32×32 tile through shared memory: out = inᵀ. A row of the tile has `pitch` floats, 32 or 33.
inline constexpr DeviceFunction<void(int pitch, float* out, const float* in)> transpose_tile{
    "transpose_tile"};
/// out[i] = in[stride · i] for i < 32.
inline constexpr DeviceFunction<void(int stride, float* out, const float* in)> gather_strided{
    "gather_strided"};
/// Four floats at once: out[0…127] = in[0…127].
inline constexpr DeviceFunction<void(float* out, const float* in)> copy_vectors{"copy_vectors"};

// ---- lanes that leave something out

/// Sums of 3×3 neighbours on a map of 4 rows of 8, one lane a cell; what is not on the map is skipped.
inline constexpr DeviceFunction<void(float* out, const float* in)> padded_sums{"padded_sums"};
/// Lane i adds up in[32·k + i] for k ≤ i mod 4, in a loop that ends for some lanes earlier, and writes.
inline constexpr DeviceFunction<void(float* out, const float* in)> ragged_loop{"ragged_loop"};
/// Twice: an even lane reads once, an odd one twice, of 128 floats; then each one of another 64.
inline constexpr DeviceFunction<void(float* out, const float* in)> ragged_inner_loop{"ragged_inner_loop"};
/// Lanes below 16 double what the others halve; then all write.
inline constexpr DeviceFunction<void(float* out, const float* in)> two_sides{"two_sides"};
/// Lanes from `count` on return before they have read; launched with `lanes` threads.
inline constexpr DeviceFunction<void(int lanes, int count, float* out, const float* in)> early_return{
    "early_return"};
/// Five copies of 32 floats by copy_async: lanes 8·k … 8·k + 7 get zeros in copy k, and all in the last.
inline constexpr DeviceFunction<void(float* out, const float* in)> zero_filled_copies{"zero_filled_copies"};

// ---- shared memory

/// Lane i of `mask` reads `width` floats (1, 2 or 4) of 1024 in shared memory, from place[i] on; out has the
/// first of them.
inline constexpr DeviceFunction<void(int width, uint32_t mask, float* out, const int* place)> shared_reads{
    "shared_reads"};
/// Lane i writes `width` floats to shared memory, from place[i] on, and reads the first back.
inline constexpr DeviceFunction<void(int width, float* out, const int* place)> shared_writes{"shared_writes"};

}  // namespace loupe::device
