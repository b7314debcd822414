#include "kernels/gpu/info.h"

#include <cuda_runtime.h>

#include <cstdio>
#include <fstream>

#include "kernels/gpu/check.h"
#include "kernels/gpu/peaks.h"
#include "kernels/gpu/runtime.h"

namespace loupe::gpu {

namespace {

std::string version_text(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }

// "580.95.05"; empty where the kernel does not say.
std::string driver_release() {
  std::ifstream file("/proc/driver/nvidia/version");
  for (std::string word; file >> word;)
    if (word.find_first_not_of("0123456789.") == std::string::npos && word.find('.') != std::string::npos)
      return word;
  return {};
}

int attribute(cudaDeviceAttr what) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, what, current_device()) == cudaSuccess ? value : 0;
}

int driver_version() {
  int version = 0;
  LOUPE_CUDA(cudaDriverGetVersion(&version));
  return version;
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", x);
  return text;
}

}  // namespace

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

void find_device(int index) {
  const auto none = [](const std::string& why) {
    cudaGetLastError();
    throw Failure("device cuda cannot be used: " + why + "; use --device cpu, or sim for the same kernels",
                  Outcome::no_device);
  };
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0) none("there is no NVIDIA driver on this machine (libcuda.so.1)");
    none("the NVIDIA driver is too old: it knows CUDA " + version_text(driver) + ", this build needs " +
         version_text(runtime));
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0))
    none("the NVIDIA driver finds no GPU (see CUDA_VISIBLE_DEVICES)");
  if (status != cudaSuccess) none(std::string("the NVIDIA driver says: ") + cudaGetErrorString(status));
  if (index < 0 || index >= count)
    none("this machine has " + std::to_string(count) + " GPU" + (count == 1 ? "" : "s") +
         ", counted from 0: there is no cuda:" + std::to_string(index));
  use_device(index);
  const int major = attribute(cudaDevAttrComputeCapabilityMajor),
            minor = attribute(cudaDevAttrComputeCapabilityMinor);
  if (major < 8)
    none("the GPU is sm_" + std::to_string(10 * major + minor) + ", and the kernels need sm_80 or later");
}

std::string describe_device() {
  cudaDeviceProp p{};
  LOUPE_CUDA(cudaGetDeviceProperties(&p, current_device()));
  const std::string release = driver_release(), cuda = "CUDA " + version_text(driver_version());
  return std::string(p.name) + ", sm_" + std::to_string(10 * p.major + p.minor) + ", " +
         std::to_string(p.multiProcessorCount) + " multiprocessors, " +
         std::to_string(p.totalGlobalMem >> 30) + " GiB, driver " +
         (release.empty() ? "of " + cuda : release + " (" + cuda + ")");
}

std::string device_as_json() {
  cudaDeviceProp p{};
  LOUPE_CUDA(cudaGetDeviceProperties(&p, current_device()));
  int runtime = 0;
  LOUPE_CUDA(cudaRuntimeGetVersion(&runtime));
  size_t free = 0, total = 0;
  LOUPE_CUDA(cudaMemGetInfo(&free, &total));
  const double clock = 1e-3 * attribute(cudaDevAttrClockRate);         // MHz
  const double memory = 1e-3 * attribute(cudaDevAttrMemoryClockRate);  // MHz; two transfers a clock
  const int bus = attribute(cudaDevAttrGlobalMemoryBusWidth);          // bits
  const MultiplyAdds peak = multiply_adds(p.major, p.minor);
  const auto tflops = [&](int per_clock) { return number(2e-6 * clock * p.multiProcessorCount * per_clock); };
  const double gbs = 2e-3 * memory * bus / 8;
  std::string json = "{";
  const auto add = [&](const char* key, const std::string& value) {
    json += (json.size() > 1 ? ", \"" : "\"") + std::string(key) + "\": " + value;
  };
  add("name", quoted(p.name));
  add("sm", std::to_string(10 * p.major + p.minor));
  add("driver", quoted(driver_release()));
  add("driver_cuda", quoted(version_text(driver_version())));
  add("runtime_cuda", quoted(version_text(runtime)));
  add("multiprocessors", std::to_string(p.multiProcessorCount));
  add("clock_mhz", number(clock));
  add("memory_clock_mhz", number(memory));
  add("memory_bus_bits", std::to_string(bus));
  add("memory_bytes", std::to_string(total));
  add("memory_free_bytes", std::to_string(free));
  add("l2_bytes", std::to_string(p.l2CacheSize));
  add("shared_bytes_per_block", std::to_string(p.sharedMemPerBlockOptin));
  add("ecc", attribute(cudaDevAttrEccEnabled) ? "true" : "false");
  add("peak_fp32_tflops", tflops(peak.fp32));
  add("peak_tf32_tflops", tflops(peak.tf32));  // 0: not known
  add("peak_bf16_tflops", tflops(peak.bf16));
  add("peak_gb_per_s", number(gbs));
  return json + "}";
}

}  // namespace loupe::gpu
