// What a kernel in the simulator calls, by way of kernels/device/: where it is, shared memory, barriers,
// collectives, asynchronous copies. Plain loads and stores come in through the compiler's hooks (hooks.cpp).
// Nothing here throws: a kernel that does something wrong is abandoned where it stands (Executor::fail).
#pragma once
#include <cstddef>
#include <cstdint>

namespace loupe::sim {

struct Dim3 {
  unsigned x, y, z;
};
// Of the thread that runs now. Set at every switch of fibers.
extern __thread Dim3 threadIdx, blockIdx, blockDim, gridDim;

/// Static shared memory of the type whose tag this is; the first thread to ask reserves it.
void* static_shared(const void* type_tag, size_t bytes, size_t alignment);
/// Dynamic shared memory, 128-byte aligned.
void* dynamic_shared();

void block_barrier();
void warp_barrier(uint32_t mask);
/// Waits until every lane of `mask` has come with the same `what` and mask; the last one calls `combine` with
/// each lane's operand.
void warp_collective(const char* what, uint32_t mask, void* operand,
                     void (*combine)(void* const* operands, uint32_t mask));

/// Up to 16 bytes, the first ones first.
struct Bytes16 {
  uint64_t low, high;
};
/// One access of up to 16 bytes.
Bytes16 vector_load(const void* from, size_t bytes);
void vector_store(void* to, Bytes16 value, size_t bytes);

enum class Atomic : uint8_t { add, max, bit_or, exchange, compare_exchange };
/// Returns what was there before.
uint32_t atomic_word(void* p, Atomic operation, uint32_t value, uint32_t expected = 0);

/// cp.async; a null `from` writes zeros.
void queue_copy(void* to_shared, const void* from_global, size_t bytes);
void commit_queued_copies();
void wait_queued_copies(int pending);

}  // namespace loupe::sim
