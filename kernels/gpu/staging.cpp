#include "kernels/gpu/staging.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "kernels/gpu/check.h"
#include "kernels/gpu/runtime.h"

namespace loupe::gpu {

namespace {

std::mutex g_mutex;
std::map<std::pair<int, cudaStream_t>, Staging*>& all() {
  static auto* const of_streams =
      new std::map<std::pair<int, cudaStream_t>, Staging*>;  // outlives the driver
  return *of_streams;
}

}  // namespace

Staging& Staging::of(cudaStream_t stream) {
  const std::scoped_lock lock(g_mutex);
  Staging*& staging = all()[{current_device(), stream}];
  if (!staging) staging = new Staging(stream);
  return *staging;
}

void Staging::forget(cudaStream_t stream) {
  const std::scoped_lock lock(g_mutex);
  const auto found = all().find({current_device(), stream});
  if (found == all().end()) return;
  delete found->second;
  all().erase(found);
}

Staging::Staging(cudaStream_t stream) : stream_(stream) {
  for (Buffer& b : buffers_) {
    LOUPE_CUDA(cudaEventCreateWithFlags(&b.done, cudaEventDisableTiming));
    void* data = nullptr;
    if (cudaMallocHost(&data, static_cast<size_t>(kBytes)) == cudaSuccess)
      b.data = static_cast<std::byte*>(data);
    else
      cudaGetLastError();
  }
}

Staging::~Staging() {
  for (Buffer& b : buffers_) {
    if (b.done) cudaEventDestroy(b.done);
    if (b.data) cudaFreeHost(b.data);
  }
}

// The buffer whose turn it is, once no copy reads or writes it.
Staging::Buffer& Staging::next() {
  Buffer& b = buffers_[turn_];
  turn_ = 1 - turn_;
  LOUPE_CUDA(cudaEventSynchronize(b.done));
  return b;
}

void Staging::upload(void* to, const void* from, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += kBytes) {
    const auto piece = static_cast<size_t>(std::min(kBytes, bytes - at));
    Buffer& b = next();
    const auto* source = static_cast<const std::byte*>(from) + at;
    if (b.data) std::memcpy(b.data, source, piece);
    LOUPE_CUDA(cudaMemcpyAsync(static_cast<std::byte*>(to) + at, b.data ? b.data : source, piece,
                               cudaMemcpyHostToDevice, stream_));
    LOUPE_CUDA(cudaEventRecord(b.done, stream_));
    if (!b.data) LOUPE_CUDA(cudaStreamSynchronize(stream_));
  }
}

void Staging::download(void* to, const void* from, int64_t bytes) {
  struct {
    Buffer* buffer = nullptr;
    std::byte* to = nullptr;
    size_t bytes = 0;
  } before;
  // While the GPU writes one buffer, the host reads the other.
  const auto take = [&] {
    if (!before.buffer) return;
    LOUPE_CUDA(cudaEventSynchronize(before.buffer->done));
    if (before.buffer->data) std::memcpy(before.to, before.buffer->data, before.bytes);
  };
  for (int64_t at = 0; at < bytes; at += kBytes) {
    const auto piece = static_cast<size_t>(std::min(kBytes, bytes - at));
    Buffer& b = next();
    std::byte* destination = static_cast<std::byte*>(to) + at;
    LOUPE_CUDA(cudaMemcpyAsync(b.data ? b.data : destination, static_cast<const std::byte*>(from) + at, piece,
                               cudaMemcpyDeviceToHost, stream_));
    LOUPE_CUDA(cudaEventRecord(b.done, stream_));
    take();
    before = {&b, destination, piece};
  }
  take();
  LOUPE_CUDA(cudaStreamSynchronize(stream_));
}

}  // namespace loupe::gpu
