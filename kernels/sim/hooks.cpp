// The functions that the compiler calls from a kernel: at every access to memory (-fsanitize=thread) and at
// every piece of straight code (-fsanitize-coverage); and the ones behind kernels/device/'s wrappers. All hand
// on to this core's Executor; in host code there is none, and they return.
#include <cstring>

#include "kernels/sim/block.h"
#include "kernels/sim/executor.h"

#define LOUPE_HERE __builtin_return_address(0)

namespace loupe::sim {

namespace {
inline Executor::Pause paused() { return Executor::Pause(Executor::running()); }
}  // namespace

void* static_shared(const void* type_tag, size_t bytes, size_t alignment) {
  return paused()->static_shared(type_tag, bytes, alignment, LOUPE_HERE);
}
void* dynamic_shared() { return paused()->dynamic_shared(LOUPE_HERE); }
void block_barrier() { paused()->barrier(LOUPE_HERE); }
void warp_barrier(uint32_t mask) { paused()->warp_barrier(mask, LOUPE_HERE); }
void warp_collective(const char* what, uint32_t mask, void* operand,
                     void (*combine)(void* const*, uint32_t)) {
  paused()->collective(what, mask, operand, combine, LOUPE_HERE);
}
Bytes16 vector_load(const void* from, size_t bytes) {
  paused()->vector_access(from, bytes, Executor::read, LOUPE_HERE);
  Bytes16 value{};
  std::memcpy(&value, from, bytes);
  return value;
}
void vector_store(void* to, Bytes16 value, size_t bytes) {
  paused()->vector_access(to, bytes, Executor::write, LOUPE_HERE);
  std::memcpy(to, &value, bytes);
}
uint32_t atomic_word(void* p, Atomic operation, uint32_t value, uint32_t expected) {
  return paused()->atomic_word(p, operation, value, expected, LOUPE_HERE);
}
void queue_copy(void* to, const void* from, size_t bytes) {
  paused()->queue_copy(to, from, bytes, LOUPE_HERE);
}
void commit_queued_copies() { paused()->commit_copies(); }
void wait_queued_copies(int pending) { paused()->wait_copies(pending); }

namespace {
inline void touch(const void* p, size_t bytes, Executor::Kind kind, const void* pc) {
  if (Executor::running()) paused()->access(p, bytes, kind, pc);
}
// Apart from its hook, so that the hook does nearly nothing where nobody watches.
__attribute__((noinline, cold)) void enter_code(const void* pc) {
  if (Executor::running()) paused()->enter_code(pc);
}
// A block of memory, word by word where it can be.
void touch_range(const void* p, size_t bytes, Executor::Kind kind, const void* pc) {
  const auto* at = static_cast<const char*>(p);
  while (bytes > 0) {
    const size_t step = reinterpret_cast<uintptr_t>(at) % 4 == 0 && bytes >= 4 ? 4 : 1;
    touch(at, step, kind, pc);
    at += step;
    bytes -= step;
  }
}
}  // namespace

}  // namespace loupe::sim

using loupe::sim::Executor;
using loupe::sim::touch;
using loupe::sim::touch_range;

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

// Of -fsanitize-coverage=trace-pc: at the beginning of every basic block.
void __sanitizer_cov_trace_pc() {
  if (loupe::sim::g_observer) loupe::sim::enter_code(LOUPE_HERE);
}

#define LOUPE_HOOKS(n)                                                                  \
  void __tsan_read##n(void* p) { touch(p, n, Executor::read, LOUPE_HERE); }             \
  void __tsan_write##n(void* p) { touch(p, n, Executor::write, LOUPE_HERE); }           \
  void __tsan_unaligned_read##n(void* p) { touch(p, n, Executor::read, LOUPE_HERE); }   \
  void __tsan_unaligned_write##n(void* p) { touch(p, n, Executor::write, LOUPE_HERE); } \
  void __tsan_volatile_read##n(void* p) { touch(p, n, Executor::read, LOUPE_HERE); }    \
  void __tsan_volatile_write##n(void* p) { touch(p, n, Executor::write, LOUPE_HERE); }  \
  void __tsan_read_write##n(void* p) {                                                  \
    touch(p, n, Executor::read, LOUPE_HERE), touch(p, n, Executor::write, LOUPE_HERE);  \
  }
LOUPE_HOOKS(1)
LOUPE_HOOKS(2)
LOUPE_HOOKS(4)
LOUPE_HOOKS(8)
LOUPE_HOOKS(16)
#undef LOUPE_HOOKS

void __tsan_read_range(void* p, size_t bytes) { touch_range(p, bytes, Executor::read, LOUPE_HERE); }
void __tsan_write_range(void* p, size_t bytes) { touch_range(p, bytes, Executor::write, LOUPE_HERE); }
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  touch_range(from, bytes, Executor::read, LOUPE_HERE);
  touch_range(to, bytes, Executor::write, LOUPE_HERE);
  return __builtin_memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  touch_range(from, bytes, Executor::read, LOUPE_HERE);
  touch_range(to, bytes, Executor::write, LOUPE_HERE);
  return __builtin_memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, size_t bytes) {
  touch_range(to, bytes, Executor::write, LOUPE_HERE);
  return __builtin_memset(to, value, bytes);
}
}

// Atomics of host code in a .cu (reference counts, guards of statics). Kernels use device/atomic.h.
extern "C" {
#define LOUPE_ATOMICS(bits, T)                                                                             \
  T __tsan_atomic##bits##_load(const T* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }           \
  void __tsan_atomic##bits##_store(T* p, T v, int) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }           \
  T __tsan_atomic##bits##_exchange(T* p, T v, int) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); } \
  T __tsan_atomic##bits##_fetch_add(T* p, T v, int) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); } \
  T __tsan_atomic##bits##_fetch_sub(T* p, T v, int) { return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST); } \
  T __tsan_atomic##bits##_fetch_or(T* p, T v, int) { return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST); }   \
  T __tsan_atomic##bits##_fetch_and(T* p, T v, int) { return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST); } \
  int __tsan_atomic##bits##_compare_exchange_strong(T* p, T* e, T v, int, int) {                           \
    return __atomic_compare_exchange_n(p, e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                \
  }                                                                                                        \
  int __tsan_atomic##bits##_compare_exchange_weak(T* p, T* e, T v, int, int) {                             \
    return __atomic_compare_exchange_n(p, e, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                 \
  }                                                                                                        \
  T __tsan_atomic##bits##_compare_exchange_val(T* p, T e, T v, int, int) {                                 \
    __atomic_compare_exchange_n(p, &e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                      \
    return e;                                                                                              \
  }
LOUPE_ATOMICS(8, unsigned char)
LOUPE_ATOMICS(16, unsigned short)
LOUPE_ATOMICS(32, unsigned)
LOUPE_ATOMICS(64, unsigned long)
#undef LOUPE_ATOMICS
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) {}
}
