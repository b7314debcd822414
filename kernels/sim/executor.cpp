#include "kernels/sim/executor.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/sim/symbols.h"

namespace loupe::sim {

__thread Dim3 threadIdx, blockIdx, blockDim, gridDim;
__thread Executor* Executor::running_ = nullptr;

namespace {

// Memory of a whole simulated SM, taken once.
std::byte* map_pages(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw Failure("the simulator has no memory for its stacks");
  return static_cast<std::byte*>(p);
}

const char* verb(Executor::Kind kind) { return kind == Executor::read ? "reads" : "writes"; }

// "3 KiB" is too coarse for a wrong index.
std::string count_of(uint64_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

Dim3 unravel(uint64_t i, const Dim3& size) {
  return {static_cast<unsigned>(i % size.x), static_cast<unsigned>(i / size.x % size.y),
          static_cast<unsigned>(i / size.x / size.y)};
}

std::string text(const Dim3& d) {
  return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

}  // namespace

Executor& Executor::get() {
  static thread_local Executor executor;
  return executor;
}

Executor::Executor() : heap_(Heap::get()) {
  constexpr size_t kGuard = 4096;
  stacks_ = map_pages(kMostThreads * kStack);
  for (size_t i = 0; i < kMostThreads; ++i) mprotect(stacks_ + i * kStack, kGuard, PROT_NONE);
  shared_ = map_pages(kSharedWindow);
  shared_base_ = reinterpret_cast<uintptr_t>(shared_);
  cells_.resize(kMostShared / 4);
  threads_.resize(kMostThreads);
  warps_.resize(kMostThreads / 32);
}

Executor::~Executor() {
  munmap(stacks_, kMostThreads * kStack);
  munmap(shared_, kSharedWindow);
}

// ---- the schedule

std::optional<std::string> Executor::run(const KernelLaunch& launch, uint32_t launch_number, uint64_t index) {
  launch_ = &launch;
  launch_number_ = launch_number;
  block_ = static_cast<uint32_t>(index);
  ++serial_;
  ++epoch_;
  count_ = launch.block.x * launch.block.y * launch.block.z;
  ended_ = waiting_ = 0;
  checks_ = options().checks;
  observer_ = observer();
  statics_.clear();
  static_bytes_ = (launch.dynamic_shared + 127) / 128 * 128;
  std::memset(shared_, 0xff, launch.dynamic_shared);
  fault_.reset();
  ready_.clear();
  for (auto& r : recent_) r = {0, 0};
  std::seed_seq seed{options().seed, uint64_t{launch_number}, index};
  random_.seed(seed);

  std::vector<uint16_t> all(count_);
  for (unsigned t = 0; t < count_; ++t) {
    Thread& thread = threads_[t];
    thread.wait = Wait::nothing;
    thread.groups = 0;
    thread.copies.clear();
    thread.index = unravel(t, launch.block);
    all[t] = static_cast<uint16_t>(t);
  }
  for (unsigned w = 0; w * 32 < count_; ++w) {
    warps_[w].ended = 0;
    warps_[w].epoch = 0;
    warps_[w].open.clear();
    const unsigned lanes = std::min(count_ - w * 32, 32u);
    warps_[w].lanes = lanes == 32 ? ~0u : (1u << lanes) - 1;
  }
  release(all);

  blockIdx = unravel(index, launch.grid);
  blockDim = launch.block;
  gridDim = launch.grid;
  if (observer_) observer_->begin_block(index, count_);
  while (ended_ < count_ && !fault_) {
    if (ready_.empty()) {
      fault_ = Fault{stuck(), nullptr, std::nullopt};
      break;
    }
    const unsigned next = ready_.front();
    ready_.pop_front();
    resume(next);
  }
  if (observer_) observer_->end_block();
  if (!fault_) return std::nullopt;
  for (unsigned t = 0; t < count_; ++t) threads_[t].started = false;  // their stacks are left as they are
  return at(fault_->pc, fault_->thread) + fault_->text + " (schedule seed " + std::to_string(options().seed) +
         ")";
}

void Executor::resume(unsigned t) {
  Thread& thread = threads_[t];
  if (!thread.started) {
    thread.started = true;
    thread.fiber.start(stacks_ + t * kStack + 4096, kStack - 4096, &Executor::thread_main, this);
  }
  current_ = t;
  threadIdx = thread.index;
  thread.wait = Wait::nothing;
  thread.fiber.resume();
}

// A fiber runs one thread of a block, then waits for the next block.
void Executor::thread_main(void* self) {
  auto& me = *static_cast<Executor*>(self);
  for (;;) {
    running_ = &me;
    me.launch_->body->run();
    running_ = nullptr;
    me.end_thread();
  }
}

void Executor::end_thread() {
  Thread& thread = threads_[current_];
  thread.wait = Wait::ended;
  ++ended_;
  warps_[current_ / 32].ended |= 1u << (current_ % 32);
  thread.fiber.suspend();
}

void Executor::park() { threads_[current_].fiber.suspend(); }

// Lets threads run again: warps in a random order, the lanes of each in a random order, before or after those
// that are ready already.
void Executor::release(std::vector<uint16_t>& threads) {
  std::ranges::shuffle(threads, random_);
  std::array<uint32_t, kMostThreads / 32> place{};
  for (auto& p : place) p = static_cast<uint32_t>(random_());
  std::ranges::stable_sort(threads, {}, [&](uint16_t t) { return place[t / 32]; });
  if (random_() % 2)
    ready_.insert(ready_.end(), threads.begin(), threads.end());
  else
    ready_.insert(ready_.begin(), threads.begin(), threads.end());
}

// ---- waiting

void Executor::barrier(const void* pc) {
  Thread& me = threads_[current_];
  me.wait = Wait::barrier;
  me.pc = pc;
  if (++waiting_ == count_) {
    for (unsigned t = 0; t < count_; ++t)
      if (threads_[t].pc != pc && line_of(threads_[t].pc).str() != line_of(pc).str()) {
        me.wait = Wait::nothing;
        fail("threads of one block meet in different barriers: " + where_waits(t) + ", this one here", pc);
      }
    waiting_ = 0;
    ++epoch_;
    std::vector<uint16_t> all(count_);
    for (unsigned t = 0; t < count_; ++t) all[t] = static_cast<uint16_t>(t);
    release(all);
  }
  park();
}

void Executor::warp_barrier(uint32_t mask, const void* pc) {
  collective("sync_warp", mask, nullptr, nullptr, pc);
}

void Executor::collective(const char* what, uint32_t mask, void* operand,
                          void (*combine)(void* const*, uint32_t), const void* pc) {
  const unsigned w = current_ / 32, lane = current_ % 32;
  Warp& warp = warps_[w];
  const auto lanes_text = [&](uint32_t lanes) {
    std::vector<unsigned> list;
    for (unsigned i = 0; i < 32; ++i)
      if (lanes >> i & 1) list.push_back(w * 32 + i);
    return names(list);
  };
  if (!(mask >> lane & 1)) fail(std::string(what) + " with a mask that does not name the lane itself", pc);
  if (const uint32_t never = mask & ~warp.lanes)
    fail(std::string(what) + " names lanes that the block does not have: it has " + std::to_string(count_) +
             " threads, the mask asks for " + lanes_text(never),
         pc);
  if (const uint32_t gone = mask & warp.ended)
    fail(std::string(what) + " waits for " + lanes_text(gone) + ", which ended without coming", pc);

  Collective* mine = nullptr;
  for (Collective& c : warp.open) {
    if (c.mask == mask && std::strcmp(c.what, what) == 0 && !(c.arrived >> lane & 1)) {
      mine = &c;
      break;
    }
    if (c.mask & mask)
      fail(std::string(what) + " meets another operation of the warp: " + lanes_text(c.arrived) +
               " waits in " + c.what + (c.mask != mask ? " with another mask" : "") + " at " +
               line_of(c.pc).str(),
           pc);
  }
  if (!mine) {
    warp.open.push_back({what, mask, 0, pc, {}});
    mine = &warp.open.back();
  }
  mine->arrived |= 1u << lane;
  mine->operands[lane] = operand;
  Thread& me = threads_[current_];
  if (mine->arrived != mask) {
    me.wait = Wait::collective;
    me.pc = pc;
    me.what = what;
    me.mask = mask;
    park();
    return;
  }
  if (combine)
    combine(mine->operands, mask);
  else
    ++warp.epoch;
  warp.open.erase(warp.open.begin() + (mine - warp.open.data()));
  std::vector<uint16_t> all;
  for (unsigned i = 0; i < 32; ++i)
    if (mask >> i & 1) all.push_back(static_cast<uint16_t>(w * 32 + i));
  release(all);
  park();
}

std::string Executor::stuck() {
  std::vector<unsigned> in_barrier, elsewhere, ended;
  for (unsigned t = 0; t < count_; ++t)
    (threads_[t].wait == Wait::barrier ? in_barrier
     : threads_[t].wait == Wait::ended ? ended
                                       : elsewhere)
        .push_back(t);
  std::string text;
  if (!in_barrier.empty()) {
    text = "a barrier that only some threads reach: " + names(in_barrier) + " of " + std::to_string(count_) +
           (in_barrier.size() == 1 ? " waits" : " wait") + " in sync_threads at " +
           line_of(threads_[in_barrier[0]].pc).str();
    if (!ended.empty()) text += "; " + names(ended) + " ended without it";
    if (!elsewhere.empty()) text += "; " + where_waits(elsewhere[0]);
  } else {
    text = "lanes that never come: " + where_waits(elsewhere[0]);
    std::vector<unsigned> missing;
    const Thread& first = threads_[elsewhere[0]];
    const unsigned w = elsewhere[0] / 32;
    for (const Collective& c : warps_[w].open)
      if (c.mask == first.mask)
        for (unsigned i = 0; i < 32; ++i)
          if ((c.mask & ~c.arrived) >> i & 1) missing.push_back(w * 32 + i);
    if (!missing.empty()) {
      text += " for " + names(missing);
      const Thread& other = threads_[missing[0]];
      if (other.wait == Wait::ended) text += ", which ended";
      if (other.wait == Wait::collective) text += "; " + where_waits(missing[0]);
    }
  }
  return text;
}

std::string Executor::where_waits(unsigned t) const {
  const Thread& thread = threads_[t];
  return "thread " + index_text(t) + " waits in " +
         (thread.wait == Wait::barrier ? "sync_threads" : thread.what) + " at " + line_of(thread.pc).str();
}

// ---- memory

void* Executor::dynamic_shared(const void* pc) {
  if (launch_->dynamic_shared == 0) fail("uses dynamic shared memory, but the launch gives none", pc);
  return shared_;
}

void* Executor::static_shared(const void* tag, size_t bytes, size_t alignment, const void* pc) {
  for (const Static& s : statics_)
    if (s.tag == tag) return shared_ + s.offset;
  const size_t offset = (static_bytes_ + alignment - 1) / alignment * alignment;
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
  static_bytes_ = offset + bytes;
  std::memset(shared_ + offset, 0xff, bytes);
  return shared_ + offset;
}

Executor::SharedCell& Executor::cell(uintptr_t offset) {
  SharedCell& c = cells_[offset / 4];
  if (c.serial != serial_) {
    c = SharedCell{};
    c.serial = serial_;
  }
  return c;
}

void Executor::shared_access(uintptr_t offset, size_t bytes, Kind kind, const void* pc) {
  if (offset + bytes > static_bytes_)
    fail(std::string(verb(kind)) + " shared memory at offset " + std::to_string(offset) +
             ", past the end of its " + count_of(static_bytes_, "byte"),
         pc);
  if (offset % std::min<size_t>(bytes, 16) != 0)
    fail("a misaligned access of " + count_of(bytes, "byte") + " to shared memory, at offset " +
             std::to_string(offset),
         pc);
  if (observer_)
    observer_->access({pc, offset, static_cast<uint32_t>(bytes), current_, Space::shared, kind != read});
  if (!checks_) return;
  const uint16_t warp_epoch = warps_[current_ / 32].epoch;
  const Stamp now{epoch_, static_cast<uint16_t>(current_), warp_epoch};
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
      if (c.read.epoch != epoch_ || c.read_bytes == 0) {
        c.read = now;
        c.read_bytes = mask;
        continue;
      }
      c.read_bytes |= mask;
      const uint16_t reader = c.read.thread;
      if (reader == kManyWarps) continue;
      const unsigned warp = (reader & kManyLanes) ? reader & 0x7fffu : reader / 32u;
      if (warp != current_ / 32)
        c.read.thread = kManyWarps;
      else if (reader != current_)
        c.read.thread = static_cast<uint16_t>(kManyLanes | warp);
      c.read.warp_epoch = warp_epoch;
      continue;
    }
    if ((c.read_bytes & mask) && c.read.epoch == epoch_ && c.read.thread != current_) {
      const uint16_t reader = c.read.thread;
      const bool many = reader == kManyWarps;
      const unsigned warp = (reader & kManyLanes) ? reader & 0x7fffu : reader / 32u;
      if (many || warp != current_ / 32 || c.read.warp_epoch == warp_epoch)
        fail(other(many                    ? "threads of several warps"
                   : (reader & kManyLanes) ? "other lanes of the warp"
                                           : "thread ") +
                 ((reader & kManyLanes) ? std::string() : index_text(reader)) +
                 " read, with no barrier in between",
             pc);
    }
    c.write_bytes = c.write.epoch == epoch_ && c.write.thread == current_ ? c.write_bytes | mask : mask;
    c.write = now;
    c.written |= mask;
    c.where = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(pc) - module_image().begin);
    c.flags = kind == atomic ? kAtomic : 0;
  }
}

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
    const bool mine = c.launch == launch_number_ && c.block == block_ && c.thread == current_;
    if (c.launch == launch_number_ && (c.bytes & mask) && !mine && !(kind == atomic && c.atomic) &&
        (c.block != block_ || !ordered(c.epoch, c.warp_epoch, c.thread))) {
      const bool same_block = c.block == block_;
      fail(std::string("a race: ") + verb(kind) + " global memory, " + count_of(word - range->begin, "byte") +
               " into an allocation of " + std::to_string(range->end - range->begin) + ", which " +
               (same_block ? "thread " + index_text(c.thread) + " wrote with no barrier in between"
                           : "block " + text(unravel(c.block, launch_->grid)) + " wrote in the same launch"),
           pc);
    }
    if (kind == read) continue;
    const unsigned bytes_before = mine ? c.bytes : 0u;
    c.launch = launch_number_;
    c.block = block_;
    c.epoch = epoch_;
    c.warp_epoch = warps_[current_ / 32].epoch;
    c.thread = static_cast<uint16_t>(current_) & 0x3ff;
    c.bytes = static_cast<uint16_t>(mask | bytes_before) & 0xf;
    c.atomic = kind == atomic;
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

// ---- cp.async

void Executor::queue_copy(void* to, const void* from, size_t bytes, const void* pc) {
  const auto offset = reinterpret_cast<uintptr_t>(to) - shared_base_;
  if (offset >= kSharedWindow) fail("copy_async to an address that is not in shared memory", pc);
  vector_access(to, bytes, write, pc);
  if (from) {
    if (!heap_.contains(reinterpret_cast<uintptr_t>(from)))
      fail("copy_async from an address that is not in global memory", pc);
    vector_access(from, bytes, read, pc);
  }
  for (size_t i = 0; i < bytes; i += 4) cell(offset + i).flags |= kPending;
  std::memset(to, 0xff, bytes);
  Thread& me = threads_[current_];
  me.copies.push_back({static_cast<std::byte*>(to), static_cast<const std::byte*>(from),
                       static_cast<uint32_t>(bytes), me.groups, pc});
}

void Executor::commit_copies() { ++threads_[current_].groups; }

void Executor::wait_copies(int pending) {
  Thread& me = threads_[current_];
  size_t done = 0;
  while (done < me.copies.size() && me.copies[done].group + static_cast<uint32_t>(pending) < me.groups)
    complete(me.copies[done++]);
  me.copies.erase(me.copies.begin(), me.copies.begin() + static_cast<ptrdiff_t>(done));
}

void Executor::complete(const Copy& copy) {
  const auto offset = reinterpret_cast<uintptr_t>(copy.to) - shared_base_;
  if (copy.from)
    std::memcpy(copy.to, copy.from, copy.bytes);
  else
    std::memset(copy.to, 0, copy.bytes);
  for (size_t i = 0; i < copy.bytes; i += 4) {
    SharedCell& c = cell(offset + i);
    c.flags = 0;
    // The copy is this thread's write, and it happens now.
    c.write = {epoch_, static_cast<uint16_t>(current_), warps_[current_ / 32].epoch};
    c.written = c.write_bytes = 0xf;
  }
}

// ---- messages

void Executor::fail(const std::string& what, const void* pc) {
  fault_ = Fault{what, pc, current_};
  for (;;) threads_[current_].fiber.suspend();  // never resumed
}

std::string Executor::index_text(unsigned thread) const { return text(unravel(thread, launch_->block)); }

std::string Executor::at(const void* pc, std::optional<unsigned> thread) const {
  std::string where = function_name(launch_->kernel) + ", block " + text(unravel(block_, launch_->grid));
  if (thread) where += ", thread " + index_text(*thread);
  if (pc) where += ", " + line_of(pc).str();
  return where + ": ";
}

// "threads 0–31", "thread 5", "threads 0, 2, 4 and 29 more"
std::string Executor::names(const std::vector<unsigned>& threads) const {
  std::string list;
  size_t shown = 0, parts = 0;
  for (size_t i = 0; i < threads.size() && parts < 3; ++parts) {
    size_t end = i;
    while (end + 1 < threads.size() && threads[end + 1] == threads[end] + 1) ++end;
    list += (list.empty() ? "" : ", ") + std::to_string(threads[i]);
    if (end > i) list += "–" + std::to_string(threads[end]);
    shown += end - i + 1;
    i = end + 1;
  }
  if (shown < threads.size()) list += " and " + std::to_string(threads.size() - shown) + " more";
  return (threads.size() == 1 ? "thread " : "threads ") + list;
}

}  // namespace loupe::sim
