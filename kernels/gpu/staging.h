// Copies between the host and the device by way of pinned memory, which the GPU reads and writes by itself
// while the host goes on. From pageable memory the driver would do the same, one piece after the other, and
// hold the caller until the end.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace loupe::gpu {

/// Two pinned buffers of one stream, used in turn.
class Staging {
 public:
  /// The one of a stream of the current device, made when first asked for.
  static Staging& of(cudaStream_t stream);
  /// Of a stream that ends, and whose work is done.
  static void forget(cudaStream_t stream);

  /// Returns when `from` has been read; the rest is the stream's.
  void upload(void* to, const void* from, int64_t bytes);
  /// Returns when `to` is written, after all work of the stream so far.
  void download(void* to, const void* from, int64_t bytes);

 private:
  explicit Staging(cudaStream_t stream);
  ~Staging();
  static constexpr int64_t kBytes = 4 << 20;
  struct Buffer {
    std::byte* data = nullptr;   // null: the system gave no pinned memory, and copies go without
    cudaEvent_t done = nullptr;  // the last copy that used it
  };
  Buffer& next();

  cudaStream_t stream_;
  Buffer buffers_[2];
  int turn_ = 0;
};

}  // namespace loupe::gpu
