// launch(): starts a kernel, on the GPU or in the simulator. Inside the kernel threadIdx, blockIdx, blockDim
// and gridDim are CUDA's own.
#pragma once
#include "kernels/device/target.h"

#if defined(LOUPE_SIM)
#include "kernels/sim/runtime.h"
#else
#include "kernels/gpu/runtime.h"
#endif

namespace loupe::LOUPE_TARGET {

/// A queue of work in order: a cudaStream_t, or the simulator's own.
using Stream = void*;

struct Size3 {
  unsigned x = 1, y = 1, z = 1;
};

/// What a launch needs besides the kernel's arguments.
struct Launch {
  Size3 grid;                 // blocks; x up to 2^31 − 1, y and z up to 65535
  Size3 block;                // threads, at most 1024 in all
  size_t dynamic_shared = 0;  // bytes for dynamic_shared_storage()
  Stream stream = nullptr;
};

/// Queues `kernel` and returns. Throws if the launch is refused; what a running kernel does wrong shows at
/// the next synchronisation.
template <typename... Parameters, typename... Values>
void launch(const Launch& l, void (*kernel)(Parameters...), const Values&... values) {
#if defined(LOUPE_SIM)
  enqueue(l.stream,
          {{l.grid.x, l.grid.y, l.grid.z},
           {l.block.x, l.block.y, l.block.z},
           l.dynamic_shared,
           reinterpret_cast<const void*>(kernel),
           bind_kernel([kernel, ... v = static_cast<std::decay_t<Parameters> >(values)] { kernel(v...); })});
#else
  launch_on_gpu(dim3(l.grid.x, l.grid.y, l.grid.z), dim3(l.block.x, l.block.y, l.block.z), l.dynamic_shared,
                static_cast<cudaStream_t>(l.stream), kernel, static_cast<Parameters>(values)...);
#endif
}

/// Blocks of `per_block` that cover `n` items; throws if no grid can have so many.
inline unsigned blocks_for(int64_t n, int64_t per_block) {
  const int64_t blocks = (n + per_block - 1) / per_block;
  if (blocks < 1 || blocks > 2147483647)
    throw Failure("a grid cannot have " + std::to_string(blocks) + " blocks");
  return static_cast<unsigned>(blocks);
}

}  // namespace loupe::LOUPE_TARGET
