// The host's side of a GPU: what device/launch.h needs of the CUDA runtime.
#pragma once
#include <cuda_runtime.h>

#include <type_traits>

#include "kernels/gpu/check.h"

namespace loupe::gpu {

/// What the calling thread's calls are about from now on; the CUDA runtime keeps that for each thread.
void use_device(int index);
/// Throws Failure where the last use_device() of this thread failed.
int current_device();
bool has_device() noexcept;

/// Queues a kernel whose arguments lie behind `arguments`. Throws Failure, naming the kernel and what was
/// asked for, if the launch is refused.
void launch_kernel(const void* kernel, dim3 grid, dim3 block, size_t dynamic_shared, cudaStream_t stream,
                   void** arguments);

template <typename... Parameters>
void launch_on_gpu(dim3 grid, dim3 block, size_t dynamic_shared, cudaStream_t stream,
                   void (*kernel)(Parameters...), std::type_identity_t<Parameters>... arguments) {
  void* pointers[] = {&arguments..., nullptr};
  launch_kernel(reinterpret_cast<const void*>(kernel), grid, block, dynamic_shared, stream, pointers);
}

/// The name in the source of the kernel that was queued last, for messages; empty before the first.
std::string last_kernel();

}  // namespace loupe::gpu
