// What the simulator checks at every access to memory: bounds, alignment, races.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/sim/executor.h"
#include "kernels/sim/symbols.h"
#include "kernels/sim/words.h"

namespace loupe::sim {

void* Executor::dynamic_shared(const void* pc) {
  if (launch_->dynamic_shared == 0) fail("uses dynamic shared memory, but the launch gives none", pc);
  return shared_;
}

void* Executor::static_shared(const void* tag, size_t bytes, size_t alignment, const void* pc) {
  for (const Static& s : statics_)
    if (s.tag == tag) return shared_ + s.offset;
  const size_t offset = (shared_bytes_ + alignment - 1) / alignment * alignment;
  const size_t dynamic = (launch_->dynamic_shared + 127) / 128 * 128;
  if (offset + bytes - dynamic > (48 << 10))
    fail("asks for " + std::to_string(offset + bytes - dynamic) +
             " bytes of static shared memory; a block has 49152",
         pc);
  if (offset + bytes > kMostShared)
    fail("asks for " + std::to_string(offset + bytes) + " bytes of shared memory; a block has " +
             std::to_string(kMostShared),
         pc);
  statics_.push_back({tag, offset});
  shared_bytes_ = offset + bytes;
  std::memset(shared_ + offset, 0xff, bytes);
  return shared_ + offset;
}

void Executor::note_read(SharedCell& c, uint8_t mask, const Stamp& now) {
  if (c.read.epoch != epoch_ || c.read_bytes == 0) {
    c.read = now;
    c.read_bytes = mask;
    return;
  }
  c.read_bytes |= mask;
  const uint16_t reader = c.read.thread;
  if (reader == kManyWarps) return;
  const unsigned warp = (reader & kManyLanes) ? reader & 0x7fffu : reader / 32u;
  if (warp != current_ / 32)
    c.read.thread = kManyWarps;
  else if (reader != current_)
    c.read.thread = static_cast<uint16_t>(kManyLanes | warp);
  c.read.warp_epoch = now.warp_epoch;
}

std::string Executor::racing_reader(const SharedCell& c) const {
  const uint16_t reader = c.read.thread;
  if (reader == kManyWarps) return "threads of several warps";
  const unsigned warp = (reader & kManyLanes) ? reader & 0x7fffu : reader / 32u;
  if (warp == current_ / 32 && c.read.warp_epoch != warps_[current_ / 32].epoch) return {};
  return (reader & kManyLanes) ? "other lanes of the warp" : "thread " + index_text(reader);
}

void Executor::shared_access(uintptr_t offset, size_t bytes, Kind kind, const void* pc) {
  if (offset + bytes > shared_bytes_)
    fail(std::string(verb(kind)) + " shared memory at offset " + std::to_string(offset) +
             ", past the end of its " + count_of(shared_bytes_, "byte"),
         pc);
  if (offset % std::min<size_t>(bytes, 16) != 0)
    fail("a misaligned access of " + count_of(bytes, "byte") + " to shared memory, at offset " +
             std::to_string(offset),
         pc);
  if (observer_)
    observer_->access({pc, offset, static_cast<uint32_t>(bytes), current_, Space::shared, kind != read});
  if (!checks_) return;
  const Stamp now{epoch_, static_cast<uint16_t>(current_), warps_[current_ / 32].epoch};
  for (uintptr_t word = offset & ~uintptr_t{3}; word < offset + bytes; word += 4) {
    SharedCell& c = cell(word);
    const unsigned first = word < offset ? static_cast<unsigned>(offset - word) : 0;
    const unsigned last = static_cast<unsigned>(std::min<uintptr_t>(4, offset + bytes - word));
    const auto mask = static_cast<uint8_t>(((1u << last) - 1) & ~((1u << first) - 1));
    const auto other = [&](const char* did) {
      return std::string("a race: ") + verb(kind) + " shared memory at offset " + std::to_string(word) +
             ", which " + did;
    };
    if (c.flags & kPending)
      fail(std::string(verb(kind)) + " shared memory at offset " + std::to_string(word) +
               " while a copy_async to it is under way: wait_copies() is missing",
           pc);
    if (kind != write && (c.written & mask) != mask)
      fail("reads shared memory at offset " + std::to_string(word) + " that was never written", pc);
    if ((c.write_bytes & mask) && c.write.thread != current_ &&
        !ordered(c.write.epoch, c.write.warp_epoch, c.write.thread) &&
        !(kind == atomic && (c.flags & kAtomic)))
      fail(other("thread ") + index_text(c.write.thread) + " wrote at " +
               line_of(reinterpret_cast<const void*>(module_image().begin + c.where)).str() +
               ", with no barrier in between",
           pc);
    if (kind == read) {
      note_read(c, mask, now);
      continue;
    }
    if ((c.read_bytes & mask) && c.read.epoch == epoch_ && c.read.thread != current_)
      if (const std::string reader = racing_reader(c); !reader.empty())
        fail(other(reader.c_str()) + " read, with no barrier in between", pc);
    c.write_bytes = c.write.epoch == epoch_ && c.write.thread == current_ ? c.write_bytes | mask : mask;
    c.write = now;
    c.written |= mask;
    c.where = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(pc) - module_image().begin);
    c.flags = kind == atomic ? kAtomic : 0;
  }
}

namespace {
// Blocks run on several cores, and may write different bytes of one word, or all change it atomically. Its
// cell is then looked at and changed by one of them at a time.
std::atomic_flag& lock_of(uintptr_t word) {
  static std::atomic_flag locks[256];
  return locks[word / 4 % 256];
}
}  // namespace

void Executor::global_access(uintptr_t address, size_t bytes, Kind kind, const void* pc) {
  const Heap::Range* range = nullptr;
  for (const Heap::Range& r : recent_)
    if (address - r.begin < r.end - r.begin) range = &r;
  if (!range) {
    const Heap::Range found = heap_.find(address);
    if (found.begin == found.end) {
      std::string text = std::string(verb(kind)) + " global memory outside every allocation";
      if (const Heap::Range* near = heap_.nearest(address)) {
        const std::string size = "one of " + count_of(near->end - near->begin, "byte");
        text += address >= near->end
                    ? ": " + count_of(address - near->end, "byte") + " past the end of " + size
                    : ": " + count_of(near->begin - address, "byte") + " before " + size;
      }
      fail(text, pc);
    }
    range = &(recent_[oldest_++ % 4] = found);
  }
  if (address + bytes > range->end)
    fail(std::string(verb(kind)) + " global memory across the end of an allocation of " +
             count_of(range->end - range->begin, "byte"),
         pc);
  if (address % std::min<size_t>(bytes, 16) != 0)
    fail("a misaligned access of " + count_of(bytes, "byte") + " to global memory, " +
             count_of(address - range->begin, "byte") + " into its allocation",
         pc);
  if (observer_)
    observer_->access({pc, address, static_cast<uint32_t>(bytes), current_, Space::global, kind != read});
  if (!checks_) return;
  for (uintptr_t word = address & ~uintptr_t{3}; word < address + bytes; word += 4) {
    GlobalCell& c = *heap_.shadow(word);
    if (kind == read && c.launch != launch_number_) continue;
    const unsigned first = word < address ? static_cast<unsigned>(address - word) : 0;
    const unsigned last = static_cast<unsigned>(std::min<uintptr_t>(4, address + bytes - word));
    const unsigned mask = ((1u << last) - 1) & ~((1u << first) - 1);
    std::atomic_flag* lock = mask != 0xf || kind == atomic ? &lock_of(word) : nullptr;
    while (lock && lock->test_and_set(std::memory_order_acquire)) {
    }
    const bool mine = c.launch == launch_number_ && c.block == block_ && c.thread == current_;
    if (c.launch == launch_number_ && (c.bytes & mask) && !mine && !(kind == atomic && c.atomic) &&
        (c.block != block_ || !ordered(c.epoch, c.warp_epoch, c.thread))) {
      const bool same_block = c.block == block_;
      const std::string what =
          std::string("a race: ") + verb(kind) + " global memory, " + count_of(word - range->begin, "byte") +
          " into an allocation of " + std::to_string(range->end - range->begin) + ", which " +
          (same_block ? "thread " + index_text(c.thread) + " wrote with no barrier in between"
                      : "block " + text(unravel(c.block, launch_->grid)) + " wrote in the same launch");
      if (lock) lock->clear(std::memory_order_release);
      fail(what, pc);
    }
    if (kind == read) {
      if (lock) lock->clear(std::memory_order_release);
      continue;
    }
    const unsigned bytes_before = mine ? c.bytes : 0u;
    c.launch = launch_number_;
    c.block = block_;
    c.epoch = epoch_;
    c.warp_epoch = warps_[current_ / 32].epoch;
    c.thread = static_cast<uint16_t>(current_) & 0x3ff;
    c.bytes = static_cast<uint16_t>(mask | bytes_before) & 0xf;
    c.atomic = kind == atomic;
    if (lock) lock->clear(std::memory_order_release);
  }
}

// What a kernel may touch of the host's memory: its own stack, its position, its arguments and the module's
// constants.
void Executor::host_access(uintptr_t address, size_t bytes, Kind kind, const void* pc) {
  for (const Dim3* position : {&threadIdx, &blockIdx, &blockDim, &gridDim})
    if (address - reinterpret_cast<uintptr_t>(position) < sizeof(Dim3)) return;
  if (threads_[current_].fiber.holds(address)) return;
  const Image image = module_image();
  if (address - image.begin < image.end - image.begin) {
    if (kind != read) fail("writes constant memory", pc);
    return;
  }
  if (address - reinterpret_cast<uintptr_t>(launch_->body.get()) < launch_->body->bytes()) return;
  if (address < 4096)
    fail(std::string(verb(kind)) + " " + count_of(bytes, "byte") + " through a null pointer", pc);
  fail(std::string(verb(kind)) + " " + count_of(bytes, "byte") + " that are no device memory", pc);
}

void Executor::vector_access(const void* p, size_t bytes, Kind kind, const void* pc) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  if (address % bytes != 0)
    fail("a misaligned access: " + std::string(verb(kind)) + " " + std::to_string(bytes) +
             " bytes at an address that is " + std::to_string(address % bytes) + " past a multiple of " +
             std::to_string(bytes),
         pc);
  access(p, bytes, kind, pc);
}

uint32_t Executor::atomic_word(void* p, Atomic operation, uint32_t value, uint32_t expected, const void* pc) {
  access(p, 4, atomic, pc);
  auto* word = static_cast<uint32_t*>(p);
  switch (operation) {
    case Atomic::add:
      return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
    case Atomic::bit_or:
      return __atomic_fetch_or(word, value, __ATOMIC_RELAXED);
    case Atomic::exchange:
      return __atomic_exchange_n(word, value, __ATOMIC_RELAXED);
    case Atomic::compare_exchange:
      __atomic_compare_exchange_n(word, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
      return expected;
    case Atomic::max: {
      uint32_t before = __atomic_load_n(word, __ATOMIC_RELAXED);
      while (static_cast<int32_t>(value) > static_cast<int32_t>(before) &&
             !__atomic_compare_exchange_n(word, &before, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
      }
      return before;
    }
  }
  return 0;
}

}  // namespace loupe::sim
