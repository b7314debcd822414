#include "kernels/gpu/arena.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "kernels/gpu/check.h"
#include "kernels/gpu/runtime.h"

namespace loupe::gpu {

namespace {
std::string mib(int64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

std::shared_mutex& captures() {
  static auto* const mutex = new std::shared_mutex;
  return *mutex;
}
thread_local bool g_capturing = false;
}  // namespace

void Capturing::begin() {
  captures().lock_shared();
  g_capturing = true;
}
void Capturing::end() {
  if (g_capturing) captures().unlock_shared();
  g_capturing = false;
}
bool Capturing::here() { return g_capturing; }
std::unique_lock<std::shared_mutex> Capturing::none() { return std::unique_lock(captures()); }

int64_t size_class(int64_t bytes) {
  constexpr int64_t kLeast = 256;
  if (bytes <= kLeast) return kLeast;
  // Eight classes between a power of two and the next, none finer than the alignment.
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes)));
  const int64_t step = std::max(power / 8, kLeast);
  return (bytes + step - 1) / step * step;
}

Arena& Arena::get() {
  static std::mutex mutex;
  static auto* const arenas = new std::map<int, Arena>;  // never destroyed: the driver may be gone before it
  const std::scoped_lock lock(mutex);
  return (*arenas)[current_device()];
}

void Arena::wait_for_freed() {
  LOUPE_CUDA(cudaDeviceSynchronize());
  for (auto& [size, blocks] : freed_) {
    std::vector<void*>& kept = kept_[size];
    kept.insert(kept.end(), blocks.begin(), blocks.end());
  }
  freed_.clear();
}

void* Arena::allocate(int64_t bytes) {
  if (bytes < 0) throw Failure("a negative allocation");
  if (Capturing::here()) throw Failure("memory is wanted while a pass is captured");
  std::unique_lock lock(mutex_);
  const int64_t size = keep_ ? size_class(bytes) : std::max<int64_t>(bytes, 1);
  // Captures come before the arena's lock: a thread that captures may still release blocks.
  const auto while_nobody_captures = [&](const auto& wait) {
    lock.unlock();
    const auto none = Capturing::none();
    lock.lock();
    wait();
  };
  void* block = nullptr;
  const auto is_empty = [&](const Blocks& b) { return !b.contains(size) || b.at(size).empty(); };
  if (is_empty(kept_) && !is_empty(freed_)) while_nobody_captures([&] { wait_for_freed(); });
  if (const auto found = kept_.find(size); found != kept_.end() && !found->second.empty()) {
    block = found->second.back();
    found->second.pop_back();
    kept_bytes_ -= size;
  } else {
    const auto ask = [&] {
      const bool allowed = limit_ == 0 || live_bytes_ + kept_bytes_ + size <= limit_;
      return allowed ? cudaMalloc(&block, static_cast<size_t>(size)) : cudaErrorMemoryAllocation;
    };
    cudaError_t status = ask();
    if (status == cudaErrorMemoryAllocation && kept_bytes_ > 0) {
      while_nobody_captures([&] { give_back(); });
      status = ask();
    }
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // it does not stick
      int64_t free = 0, total = 0;
      read_memory(&free, &total);
      throw Failure("out of device memory on cuda: " + mib(bytes) + " were asked for, " + mib(free) + " of " +
                        mib(total) + " are free; lower --memory or the batch",
                    Outcome::out_of_memory);
    }
    check(status, "cudaMalloc", LOUPE_PLACE);
  }
  live_[block] = size;
  live_bytes_ += size;
  return block;
}

void Arena::release(void* block) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto found = live_.find(block);
  if (found == live_.end()) return;
  const int64_t size = found->second;
  live_.erase(found);
  live_bytes_ -= size;
  if (keep_) {
    freed_[size].push_back(block);
    kept_bytes_ += size;
  } else {
    cudaFree(block);
  }
}

void Arena::give_back_kept() {
  const auto none = Capturing::none();
  const std::scoped_lock lock(mutex_);
  give_back();
}

void Arena::give_back() {
  cudaGetLastError();
  for (Blocks* all : {&kept_, &freed_}) {  // cudaFree waits for the device
    for (auto& [size, blocks] : *all)
      for (void* block : blocks) cudaFree(block);
    all->clear();
  }
  kept_bytes_ = 0;
}

void Arena::keep(bool keep) {
  const std::scoped_lock lock(mutex_);
  keep_ = keep;
  if (!keep) give_back();
}

void Arena::limit(int64_t bytes) {
  const std::scoped_lock lock(mutex_);
  limit_ = bytes;
}

void Arena::memory(int64_t* free, int64_t* total) {
  const std::scoped_lock lock(mutex_);
  read_memory(free, total);
}

void Arena::read_memory(int64_t* free, int64_t* total) const {
  size_t free_bytes = 0, total_bytes = 0;
  LOUPE_CUDA(cudaMemGetInfo(&free_bytes, &total_bytes));
  *free = static_cast<int64_t>(free_bytes) + kept_bytes_;
  *total = static_cast<int64_t>(total_bytes);
  if (limit_ == 0) return;
  *total = std::min(*total, limit_);
  *free = std::clamp<int64_t>(limit_ - live_bytes_, 0, *free);
}

namespace {
struct Scratch {
  std::vector<void*> blocks;  // the last is the largest
  int64_t bytes = 0;          // of it
};
std::mutex g_scratch_mutex;
std::map<std::pair<int, void*>, Scratch> g_scratch;
}  // namespace

void* scratch(void* stream, int64_t bytes) {
  std::unique_lock lock(g_scratch_mutex);
  Scratch& s = g_scratch[{current_device(), stream}];  // stays where it is, and a stream is one thread's
  if (s.bytes < bytes) {
    lock.unlock();  // the arena may wait for a capture, and that for this lock
    const int64_t size = std::max(bytes, s.bytes + s.bytes / 2);
    s.blocks.push_back(Arena::get().allocate(size));
    s.bytes = size;
  }
  return s.blocks.empty() ? nullptr : s.blocks.back();
}

void forget_scratch(void* stream) noexcept {
  const std::scoped_lock lock(g_scratch_mutex);
  const auto found = g_scratch.find({current_device(), stream});
  if (found == g_scratch.end()) return;
  for (void* block : found->second.blocks) Arena::get().release(block);
  g_scratch.erase(found);
}

}  // namespace loupe::gpu
