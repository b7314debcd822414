#include "kernels/sim/heap.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "kernels/common/device.h"
#include "kernels/sim/runtime.h"

namespace loupe::sim {

namespace {
constexpr uintptr_t kPage = 1 << 16;
constexpr uintptr_t up(uintptr_t n) { return (n + kPage - 1) / kPage * kPage; }
// The gap is as large as the allocation, up to a limit, so that an index that is off by a factor still lands
// in it.
constexpr uintptr_t gap(uintptr_t bytes) { return std::min(up(bytes), uintptr_t{1} << 24) + kPage; }
std::string mib(int64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }
}  // namespace

Heap& Heap::get() {
  static Heap heap;
  return heap;
}

Heap::Heap() {
  void* memory = mmap(nullptr, kSpan, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  void* shadow = mmap(nullptr, kSpan * (sizeof(GlobalCell) / 4), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || shadow == MAP_FAILED)
    throw Failure("the simulator cannot reserve addresses for its device memory (is `ulimit -v` set?)");
  base_ = cursor_ = reinterpret_cast<uintptr_t>(memory);
  shadow_ = static_cast<GlobalCell*>(shadow);
}

void* Heap::allocate(int64_t bytes) {
  if (bytes < 0) throw Failure("a negative allocation");
  if (used_ + bytes > options().memory)
    throw Failure("out of device memory on sim: " + mib(bytes) + " were asked for, " +
                      mib(options().memory - used_) + " of " + mib(options().memory) +
                      " are free; lower --memory or the batch",
                  Outcome::out_of_memory);
  const uintptr_t size = up(static_cast<uintptr_t>(std::max<int64_t>(bytes, 1))), stretch = size + gap(size);
  // Onwards from the last one, so that freed addresses stay dead for long; from the beginning when the end is
  // near.
  for (int round = 0; round < 2; ++round) {
    uintptr_t at = cursor_;
    for (const Range& r : live_)
      if (r.begin < at + stretch && at < up(r.end) + gap(r.end - r.begin))
        at = up(r.end) + gap(r.end - r.begin);
    if (at + stretch <= base_ + kSpan) {
      auto* p = reinterpret_cast<std::byte*>(at);
      if (mprotect(p, size, PROT_READ | PROT_WRITE) != 0)
        throw Failure("the simulator cannot map device memory");
      std::memset(p, 0xff, static_cast<size_t>(bytes));
      const Range range{at, at + static_cast<uintptr_t>(bytes)};
      live_.insert(std::ranges::upper_bound(live_, at, {}, &Range::begin), range);
      cursor_ = at + stretch;
      used_ += bytes;
      return p;
    }
    cursor_ = base_;
  }
  throw Failure("the simulator ran out of addresses for device memory", Outcome::out_of_memory);
}

void Heap::release(void* p) {
  const auto at = reinterpret_cast<uintptr_t>(p);
  const auto found = std::ranges::lower_bound(live_, at, {}, &Range::begin);
  if (found == live_.end() || found->begin != at) return;
  const uintptr_t bytes = found->end - found->begin, size = up(std::max<uintptr_t>(bytes, 1));
  madvise(p, size, MADV_DONTNEED);
  mprotect(p, size, PROT_NONE);
  madvise(shadow(at), size * (sizeof(GlobalCell) / 4), MADV_DONTNEED);
  used_ -= static_cast<int64_t>(bytes);
  live_.erase(found);
}

Heap::Range Heap::find(uintptr_t address) const {
  const auto after = std::ranges::upper_bound(live_, address, {}, &Range::begin);
  if (after == live_.begin()) return {0, 0};
  const Range& r = *(after - 1);
  return address < r.end ? r : Range{0, 0};
}

const Heap::Range* Heap::nearest(uintptr_t address) const {
  if (live_.empty()) return nullptr;
  const auto after = std::ranges::upper_bound(live_, address, {}, &Range::begin);
  if (after == live_.begin()) return &*after;
  if (after == live_.end()) return &*(after - 1);
  return address - (after - 1)->end < after->begin - address ? &*(after - 1) : &*after;
}

}  // namespace loupe::sim
