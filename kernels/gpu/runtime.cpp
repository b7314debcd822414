#include "kernels/gpu/runtime.h"

#include <cxxabi.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

namespace loupe::gpu {

namespace {

std::atomic<const void*> g_last_kernel{nullptr};

std::string size_text(dim3 d) {
  return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

std::string mib(size_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

std::string kernel_name(const void* kernel) {
  const char* mangled = nullptr;
  if (cudaFuncGetName(&mangled, kernel) != cudaSuccess || !mangled) return "a kernel";
  int status = 0;
  char* text = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  std::string name = status == 0 && text ? text : mangled;
  std::free(text);
  // loupe::gpu::(anonymous namespace)::relu_kernel(float const*, …) → relu_kernel
  name = name.substr(0, name.rfind('('));
  const size_t scope = name.substr(0, name.find('<')).rfind("::");
  return scope == std::string::npos ? name : name.substr(scope + 2);
}

// A block gets 48 KiB of shared memory, static and dynamic together; more has to be asked for, once for each
// kernel and device, as dynamic bytes.
void allow_dynamic_shared(const void* kernel, size_t bytes) {
  static std::mutex mutex;
  static std::map<std::pair<int, const void*>, size_t> allowed;
  const std::scoped_lock lock(mutex);
  const auto [known, fresh] = allowed.try_emplace({current_device(), kernel}, 0);
  size_t& limit = known->second;
  if (fresh) {
    cudaFuncAttributes of_kernel{};
    LOUPE_CUDA(cudaFuncGetAttributes(&of_kernel, kernel));
    limit = (size_t{48} << 10) - std::min(of_kernel.sharedSizeBytes, size_t{48} << 10);
  }
  if (bytes <= limit) return;
  const cudaError_t status =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
  if (status != cudaSuccess) {
    cudaGetLastError();
    throw Failure(kernel_name(kernel) + ": this GPU does not give a block " + std::to_string(bytes) +
                  " bytes of dynamic shared memory: " + cudaGetErrorString(status));
  }
  limit = bytes;
}

// What a running kernel did wrong ends the context, and every later call returns it: no fault of that call.
bool is_fault(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorHardwareStackError:
    case cudaErrorAssert:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable:
      return true;
    default:
      return false;
  }
}

// What a person can do about it.
std::string advice(cudaError_t status) {
  switch (status) {
    case cudaErrorNoKernelImageForDevice:
      return "; this build has code for sm_80 and later: see LOUPE_CUDA_CODE";
    case cudaErrorLaunchTimeout:
      return "; a kernel ran too long for a GPU that also draws a screen: use a smaller batch";
    case cudaErrorDevicesUnavailable:
      return "; another process holds the GPU for itself: `nvidia-smi` shows which";
    case cudaErrorECCUncorrectable:
      return "; the GPU's memory is faulty";
    default:
      return is_fault(status)
                 ? "; a fault of a kernel: `--device sim` or compute-sanitizer names the line, and "
                   "this process cannot use the GPU any more"
                 : "";
  }
}

}  // namespace

std::string last_kernel() {
  const void* kernel = g_last_kernel;
  return kernel ? kernel_name(kernel) : "";
}

namespace {
thread_local int g_device = 0;
}  // namespace

// Every time: the application's own calls of the runtime may have chosen another.
void use_device(int index) {
  g_device = -1;
  LOUPE_CUDA(cudaSetDevice(index));
  g_device = index;
}

bool has_device() noexcept { return g_device >= 0; }

int current_device() {
  if (g_device < 0) throw Failure("this thread has no GPU: the one it asked for could not be chosen");
  return g_device;
}

void fail(cudaError_t status, const char* what, const char* file_and_line) {
  const std::string file = file_and_line, place = file.substr(std::min(file.size(), file.find("kernels/")));
  cudaGetLastError();  // an error that does not stick should not come up again in the next call
  if (status == cudaErrorMemoryAllocation) {
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw Failure(std::string("out of device memory in ") + what + " (" + place + "): " + mib(free) + " of " +
                      mib(total) + " are free; lower --memory or the batch",
                  Outcome::out_of_memory);
  }
  std::string text = std::string(what) + " failed (" + place + "): " + cudaGetErrorString(status) + " (" +
                     cudaGetErrorName(status) + ")" + advice(status);
  if (g_last_kernel && !advice(status).empty()) {
    // The runtime may be beyond asking for names.
    const std::string name = last_kernel();
    if (name != "a kernel") text += "; the kernel queued last is " + name;
  }
  throw Failure(text);
}

void launch_kernel(const void* kernel, dim3 grid, dim3 block, size_t dynamic_shared, cudaStream_t stream,
                   void** arguments) {
  if (dynamic_shared > 0) allow_dynamic_shared(kernel, dynamic_shared);
  const cudaError_t status = cudaLaunchKernel(kernel, grid, block, arguments, dynamic_shared, stream);
  if (status == cudaSuccess) {
    g_last_kernel = kernel;
    return;
  }
  cudaGetLastError();
  if (is_fault(status)) {
    const std::string before = last_kernel();
    throw Failure("work that was queued before " + kernel_name(kernel) +
                  " failed: " + cudaGetErrorString(status) + advice(status) +
                  (before.empty() || before == "a kernel" ? "" : "; the kernel queued last is " + before));
  }
  throw Failure(kernel_name(kernel) + ": the launch of " + size_text(grid) + " blocks of " +
                size_text(block) + " threads with " + std::to_string(dynamic_shared) +
                " bytes of dynamic shared memory failed: " + cudaGetErrorString(status) + advice(status));
}

}  // namespace loupe::gpu
