// Constant memory: 64 KiB that all threads read through a cache of its own; fastest where a whole warp reads
// one address.
//
//   LOUPE_CONSTANT(Filter, g_filter);                    at namespace scope
//   set_constant(g_filter, filter, stream);              in a launcher; kernels queued later see it
#pragma once
#include "kernels/device/launch.h"

#if defined(__CUDACC__)
#define LOUPE_CONSTANT(T, name) static __constant__ T name
#else
#include "kernels/sim/stream.h"
#define LOUPE_CONSTANT(T, name) static T name
#endif

namespace loupe::LOUPE_TARGET {

template <typename T>
void set_constant(T& symbol, const T& value, Stream stream) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 65536);
#if defined(__CUDACC__)
  LOUPE_CUDA(cudaMemcpyToSymbolAsync(symbol, &value, sizeof value, 0, cudaMemcpyHostToDevice,
                                     static_cast<cudaStream_t>(stream)));
#else
  push(stream_of(stream), [&symbol, value] { symbol = value; });
#endif
}

}  // namespace loupe::LOUPE_TARGET
