// Accesses of 8 and 16 bytes, and the cached read-only path. A vector access needs a pointer that is a
// multiple of its size: the GPU traps otherwise, and the simulator says so.
#pragma once
#include "kernels/device/target.h"

#if !defined(__CUDACC__)
#include "kernels/sim/block.h"
#endif

namespace loupe::LOUPE_TARGET {

/// N values that one instruction moves.
template <typename T, int N>
struct alignas(sizeof(T) * N) Vector {
  static_assert(sizeof(T) * N <= 16, "one instruction moves at most 16 bytes");
  T v[N];
  LOUPE_DEVICE T& operator[](int i) { return v[i]; }
  LOUPE_DEVICE const T& operator[](int i) const { return v[i]; }
};
using Float4 = Vector<float, 4>;
using Float2 = Vector<float, 2>;

#if defined(__CUDACC__)

/// N values from p, p + 1 …, in one access.
template <int N, typename T>
LOUPE_DEVICE Vector<T, N> load_vector(const T* p) {
  return *reinterpret_cast<const Vector<T, N>*>(p);
}
template <int N, typename T>
LOUPE_DEVICE void store_vector(T* p, const Vector<T, N>& value) {
  *reinterpret_cast<Vector<T, N>*>(p) = value;
}
/// Through the read-only cache: global memory that no thread writes during the kernel.
template <typename T>
LOUPE_DEVICE T load_readonly(const T* p) {
  return __ldg(p);
}

#else

// Values come and go in registers: the address of one on a kernel's stack, once handed out, would make every
// later use of it an access to check.
template <int N, typename T>
LOUPE_DEVICE Vector<T, N> load_vector(const T* p) {
  Vector<T, N> value;
  const Bytes16 bytes = vector_load(p, sizeof value);
  __builtin_memcpy(&value, &bytes, sizeof value);
  return value;
}
template <int N, typename T>
LOUPE_DEVICE void store_vector(T* p, const Vector<T, N>& value) {
  Bytes16 bytes{};
  __builtin_memcpy(&bytes, &value, sizeof value);
  vector_store(p, bytes, sizeof value);
}
template <typename T>
LOUPE_DEVICE T load_readonly(const T* p) {
  return *p;
}

#endif

}  // namespace loupe::LOUPE_TARGET
