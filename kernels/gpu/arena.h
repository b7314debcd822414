// Device memory. A freed block is kept and handed out again for the next request of its size class, because
// cudaMalloc and cudaFree stop the whole GPU. Freeing a block waits for nothing; only when it is handed out
// again must the work be done that was queued on it, and then one wait serves all blocks freed so far.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

namespace loupe::gpu {

class Arena {
 public:
  /// Of the current device.
  static Arena& get();
  /// 256-byte aligned. Throws Failure, out_of_memory, with the sizes; before that every kept block is given
  /// back.
  void* allocate(int64_t bytes);
  /// Work that was queued on the block, in any stream, still finds it.
  void release(void*) noexcept;
  /// Gives every kept block back to the driver, for a library that asks it for memory itself.
  void give_back_kept();
  /// Free memory counts what is kept.
  void memory(int64_t* free, int64_t* total);
  /// Whether freed blocks are kept. Without it every allocation is the driver's own, so that
  /// compute-sanitizer knows its bounds and what was written.
  void keep(bool);
  /// At most so many bytes; 0: all that the GPU has.
  void limit(int64_t bytes);

 private:
  void wait_for_freed();
  void give_back();
  void read_memory(int64_t* free, int64_t* total) const;
  std::mutex mutex_;
  bool keep_ = true;
  int64_t limit_ = 0;                                    // 0: the GPU's memory
  int64_t live_bytes_ = 0, kept_bytes_ = 0;              // as allocated
  std::unordered_map<void*, int64_t> live_;              // their sizes
  using Blocks = std::map<int64_t, std::vector<void*>>;  // by size
  Blocks kept_;
  Blocks freed_;  // since the last wait for the device: work may still be under way there
};

/// What is allocated for a request: rounded up by at most an eighth, so that similar requests share blocks.
int64_t size_class(int64_t bytes);

/// Memory that belongs to a stream, at least so large: good for work queued now, until the next call for the
/// same stream. What was handed out before stays the stream's, as graphs may have been captured that use it;
/// growing by half at least keeps the sum within three times the largest.
void* scratch(void* stream, int64_t bytes);
/// Releases a stream's scratch, when it is destroyed.
void forget_scratch(void* stream) noexcept;

/// A capture is under way in this thread. Memory may then not be allocated, and nobody may wait for the whole
/// device, which would invalidate it (CUDA C++ programming guide, "Prohibited and unhandled operations").
class Capturing {
 public:
  static void begin();
  static void end();
  static bool here();
  /// Held around a wait for the device: no thread captures meanwhile.
  static std::unique_lock<std::shared_mutex> none();
};

}  // namespace loupe::gpu
