// LOUPE_CUDA(call): a call of the CUDA runtime whose failure throws, with the call, its place and what to do.
#pragma once
#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "kernels/common/device.h"

namespace loupe::gpu {

/// What went wrong, in one line. Stays inside the module (device/export.h).
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& text, int outcome = Outcome::failed)
      : std::runtime_error(text), kind(outcome) {}
  int kind;  // an Outcome::Kind
};

/// Throws the Failure that belongs to `status`. `what` is the call, `place` its file and line.
[[noreturn]] void fail(cudaError_t status, const char* what, const char* place);

inline void check(cudaError_t status, const char* what, const char* place) {
  if (status != cudaSuccess) [[unlikely]]
    fail(status, what, place);
}

}  // namespace loupe::gpu

#define LOUPE_TEXT_OF(x) #x
#define LOUPE_LINE_TEXT(x) LOUPE_TEXT_OF(x)
#define LOUPE_PLACE __FILE__ ":" LOUPE_LINE_TEXT(__LINE__)
#define LOUPE_CUDA(call) ::loupe::gpu::check((call), #call, LOUPE_PLACE)
