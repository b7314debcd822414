#include "kernels/sim/executor.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "kernels/sim/words.h"

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

}  // namespace

Executor& Executor::get() {
  static thread_local Executor executor;
  return executor;
}

Executor::Executor() : heap_(Heap::get()) {
  constexpr size_t kGuard = 4096;
  stacks_ = map_pages(kMostThreads * kStack);
  for (size_t i = 0; i < kMostThreads; ++i) mprotect(stacks_ + i * kStack, kGuard, PROT_NONE);
  shared_pages_ = map_pages(kSharedWindow + kSharedSlack);
  cells_.resize(kMostShared / 4);
  threads_.resize(kMostThreads);
  warps_.resize(kMostThreads / 32);
}

Executor::~Executor() {
  munmap(stacks_, kMostThreads * kStack);
  munmap(shared_pages_, kSharedWindow + kSharedSlack);
}

std::optional<std::string> Executor::run(const KernelLaunch& launch, uint32_t launch_number, uint64_t index) {
  launch_ = &launch;
  launch_number_ = launch_number;
  block_ = static_cast<uint32_t>(index);
  ++serial_;
  ++epoch_;
  count_ = launch.block.x * launch.block.y * launch.block.z;
  ended_ = waiting_ = 0;
  checks_ = options().checks;
  observer_ = g_observer;
  statics_.clear();
  fault_.reset();
  ready_.clear();
  for (auto& r : recent_) r = {0, 0};
  std::seed_seq seed{options().seed, uint64_t{launch_number}, index};
  random_.seed(seed);
  // No more than the 128 bytes of alignment that dynamic_shared_storage() promises.
  shared_ = shared_pages_ + 128 * (random_() % (kSharedSlack / 128));
  shared_base_ = reinterpret_cast<uintptr_t>(shared_);
  shared_bytes_ = (launch.dynamic_shared + 127) / 128 * 128;
  std::memset(shared_, 0xff, launch.dynamic_shared);

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

}  // namespace loupe::sim
