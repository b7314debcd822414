// Executor: runs the blocks of a launch, one at a time, on one core. A block's threads are fibers that take
// turns in an order that the seed shuffles; each runs until it has to wait. Every access passes through
// check(), which knows shared memory's state byte by byte and global memory's by its shadow (heap.h).
//
// Two accesses race if one of them writes, they are of different threads, and nothing orders them: no block
// barrier was passed in between and, within a warp, no warp barrier. (Shuffles order nothing.) The ordering
// is kept as epochs: the number of barriers passed so far, which never goes back, not even between blocks.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "kernels/sim/fiber.h"
#include "kernels/sim/heap.h"
#include "kernels/sim/observer.h"
#include "kernels/sim/runtime.h"

namespace loupe::sim {

class Executor {
 public:
  /// This core's.
  static Executor& get();
  /// The one that runs a kernel on this core now; null in host code, and null while the simulator itself
  /// works on behalf of a fiber: the linker keeps one copy of an inline function, and the instrumented one
  /// may be the copy that the simulator uses too.
  static Executor* running() { return running_; }
  struct Pause {
    explicit Pause(Executor* e) : executor(e) { running_ = nullptr; }
    ~Pause() { running_ = executor; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    Executor* operator->() const { return executor; }
    Executor* executor;
  };

  ~Executor();

  /// Runs block `index` (x fastest). Returns what it did wrong, one line, or nothing.
  std::optional<std::string> run(const KernelLaunch& launch, uint32_t launch_number, uint64_t index);

  // ---- called from fibers
  void barrier(const void* pc);
  void warp_barrier(uint32_t mask, const void* pc);
  void collective(const char* what, uint32_t mask, void* operand, void (*combine)(void* const*, uint32_t),
                  const void* pc);
  void* static_shared(const void* tag, size_t bytes, size_t alignment, const void* pc);
  void* dynamic_shared(const void* pc);
  void queue_copy(void* to, const void* from, size_t bytes, const void* pc);
  void commit_copies();
  void wait_copies(int pending);
  uint32_t atomic_word(void* p, Atomic operation, uint32_t value, uint32_t expected, const void* pc);

  /// A piece of straight code begins. The compiler's hook calls it for each where somebody watches.
  void enter_code(const void* pc) {
    if (observer_) observer_->enter_code(pc, current_);
  }

  enum Kind : uint8_t { read, write, atomic };
  /// Any access of a kernel to memory. The compiler's hooks call it for each.
  void access(const void* p, size_t bytes, Kind kind, const void* pc) {
    const auto address = reinterpret_cast<uintptr_t>(p);
    if (address - shared_base_ < kSharedWindow)
      shared_access(address - shared_base_, bytes, kind, pc);
    else if (heap_.contains(address))
      global_access(address, bytes, kind, pc);
    else
      host_access(address, bytes, kind, pc);
  }
  /// The same for 8 and 16 bytes at once, which must be aligned.
  void vector_access(const void* p, size_t bytes, Kind kind, const void* pc);

 private:
  Executor();

  static constexpr size_t kMostThreads = 1024, kStack = 64 << 10, kMostShared = 227 << 10;
  static constexpr size_t kSharedWindow = 256 << 10;  // the rest is a gap where accesses are wrong
  static constexpr size_t kSharedSlack = 1 << 10;     // a block's shared memory begins anywhere in it
  static constexpr uint16_t kManyWarps = 0xffff, kManyLanes = 0x8000;

  struct Stamp {
    uint32_t epoch;
    uint16_t thread, warp_epoch;
  };
  /// What is known of a word of shared memory. Valid in the block whose serial it bears.
  struct SharedCell {
    Stamp write, read;
    uint32_t serial, where;  // `where`: the last write, as an offset into the module
    uint8_t written, write_bytes, read_bytes;
    uint8_t flags;  // kPending: a cp.async is under way; kAtomic: the last write was atomic
  };
  static constexpr uint8_t kPending = 1, kAtomic = 2;

  struct Copy {
    std::byte* to;
    const std::byte* from;
    uint32_t bytes, group;
    const void* pc;
  };
  enum class Wait : uint8_t { nothing, barrier, collective, ended };
  struct Thread {
    Fiber fiber;
    bool started = false;
    Wait wait = Wait::nothing;
    const void* pc = nullptr;  // where it waits
    const char* what = nullptr;
    uint32_t mask = 0;
    uint32_t groups = 0;  // committed so far
    std::vector<Copy> copies;
    Dim3 index{};
  };
  struct Collective {
    const char* what;
    uint32_t mask, arrived;
    const void* pc;
    void* operands[32];
  };
  struct Warp {
    uint32_t ended = 0, lanes = 0;
    uint16_t epoch = 0;
    std::vector<Collective> open;
  };

  void shared_access(uintptr_t offset, size_t bytes, Kind kind, const void* pc);
  void global_access(uintptr_t address, size_t bytes, Kind kind, const void* pc);
  void host_access(uintptr_t address, size_t bytes, Kind kind, const void* pc);
  bool ordered(uint32_t epoch, uint16_t warp_epoch, unsigned thread) const {
    return epoch != epoch_ || (thread / 32 == current_ / 32 && warp_epoch != warps_[current_ / 32].epoch);
  }
  SharedCell& cell(uintptr_t offset) {
    SharedCell& c = cells_[offset / 4];
    if (c.serial != serial_) {
      c = SharedCell{};
      c.serial = serial_;
    }
    return c;
  }
  void note_read(SharedCell& c, uint8_t mask, const Stamp& now);
  /// Who else read the cell since the block's last barrier, so that a write races with it: "thread (3, 0,
  /// 0)". Empty where a barrier of the warp came in between.
  std::string racing_reader(const SharedCell& c) const;
  void complete(const Copy& copy);

  [[noreturn]] void fail(const std::string& what, const void* pc);
  void park() { threads_[current_].fiber.suspend(); }
  void resume(unsigned thread);
  void release(std::vector<uint16_t>& threads);
  static void thread_main(void* self);
  void end_thread();
  std::string stuck();
  std::string where_waits(unsigned thread) const;
  std::string names(const std::vector<unsigned>& threads) const;
  std::string at(const void* pc, std::optional<unsigned> thread) const;
  std::string index_text(unsigned thread) const;

  static __thread Executor* running_;

  Heap& heap_;
  std::byte* stacks_ = nullptr;
  std::byte* shared_pages_ = nullptr;
  std::byte* shared_ = nullptr;  // of the block that runs
  uintptr_t shared_base_ = 0;
  std::vector<SharedCell> cells_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;

  // Of the block that runs.
  const KernelLaunch* launch_ = nullptr;
  uint32_t launch_number_ = 0, block_ = 0;
  uint32_t serial_ = 0, epoch_ = 0;
  unsigned count_ = 0, current_ = 0, ended_ = 0, waiting_ = 0;
  size_t shared_bytes_ = 0;  // dynamic and, so far, static
  struct Static {
    const void* tag;
    size_t offset;
  };
  std::vector<Static> statics_;
  std::deque<uint16_t> ready_;
  std::minstd_rand random_;
  struct Fault {
    std::string text;
    const void* pc;
    std::optional<unsigned> thread;
  };
  std::optional<Fault> fault_;
  Heap::Range recent_[4] = {};
  unsigned oldest_ = 0;
  Observer* observer_ = nullptr;
  bool checks_ = true;
};

}  // namespace loupe::sim
