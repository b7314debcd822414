// cp.async: copies from global to shared memory that go on while the thread computes (sm_80 and later).
//
//   copy_async<16>(&tile.x[i], from);  queued
//   commit_copies();                   what was queued so far is one group
//   wait_copies<0>();                  at most 0 groups are still under way: the thread's own copies are there,
//   sync_threads();                    and so are everybody else's
//
// In the simulator a copy happens at its wait and not before, so that a missing wait shows.
#pragma once
#include "kernels/device/target.h"

#if !defined(__CUDACC__)
#include "kernels/sim/block.h"
#endif

namespace loupe::LOUPE_TARGET {

#if defined(__CUDACC__)

/// Bytes: 4, 8 or 16; both pointers are multiples of it. Where `valid` is false zeros are written, and `from`
/// is not read (PTX ISA, cp.async with src-size 0).
template <int Bytes>
LOUPE_DEVICE void copy_async(void* to_shared, const void* from_global, bool valid = true) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(to_shared));
  const int size = valid ? Bytes : 0;
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from_global), "r"(size)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from_global), "n"(Bytes),
                 "r"(size)
                 : "memory");
}
LOUPE_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until at most `Pending` of this thread's newest groups are under way.
template <int Pending>
LOUPE_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

#else

template <int Bytes>
LOUPE_DEVICE void copy_async(void* to_shared, const void* from_global, bool valid = true) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  queue_copy(to_shared, valid ? from_global : nullptr, Bytes);
}
LOUPE_DEVICE void commit_copies() { commit_queued_copies(); }
template <int Pending>
LOUPE_DEVICE void wait_copies() {
  wait_queued_copies(Pending);
}

#endif

}  // namespace loupe::LOUPE_TARGET
