// The simulator's device memory: one large reserved stretch of addresses with an unmapped gap after every
// allocation, and beside it the shadow, which remembers who last wrote each word.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace loupe::sim {

/// Who wrote a word of global memory last. A launch has a number of its own, so nothing is ever cleared.
struct GlobalCell {
  uint32_t launch;  // 0: never
  uint32_t block;
  uint32_t epoch;        // barriers that the block had passed
  uint16_t warp_epoch;   // and that the warp had
  uint16_t thread : 10;  // in its block
  uint16_t bytes : 4;    // of the word
  uint16_t atomic : 1;
};
static_assert(sizeof(GlobalCell) == 16);

class Heap {
 public:
  static Heap& get();

  /// 256-byte aligned, filled with bytes 0xFF (NaN as a float). Throws Failure where options().memory does
  /// not suffice.
  void* allocate(int64_t bytes);
  void release(void* p);
  int64_t used() const { return used_; }

  struct Range {
    uintptr_t begin, end;
  };
  bool contains(uintptr_t address) const { return address - base_ < kSpan; }
  GlobalCell* shadow(uintptr_t address) const { return shadow_ + (address - base_) / 4; }
  /// The allocation that holds an address; an empty range if none does.
  Range find(uintptr_t address) const;
  /// For messages: the allocation that ends before or begins after an address that is in none.
  const Range* nearest(uintptr_t address) const;

 private:
  Heap();
  static constexpr uintptr_t kSpan = uintptr_t{1} << 37;
  uintptr_t base_ = 0, cursor_ = 0;
  GlobalCell* shadow_ = nullptr;
  std::vector<Range> live_;  // sorted
  int64_t used_ = 0;
};

}  // namespace loupe::sim
