// mma.sync: a warp multiplies a 16×K tile A by a K×8 tile B and adds a 16×8 tile C, all held in its lanes'
// registers (PTX ISA, "Matrix Fragments for mma.m16n8k8 / m16n8k16"). Which lane holds which element is a
// function here, fragment_a/b/c, so kernels fill fragments by asking.
//
// Operands are rounded by the caller: to_tf32 (10 bits of mantissa), pack_bf16, pack_f16. Products are exact
// in float32; the tensor core adds them up in an order and with a rounding that NVIDIA does not state. The
// simulator adds in double and rounds once, so a bound must allow for K roundings either way.
#pragma once
#include "kernels/device/target.h"

#if !defined(__CUDACC__)
#include <cstring>

#include "kernels/device/warp.h"
#include "kernels/sim/block.h"
#endif

namespace loupe::LOUPE_TARGET {

/// A place in a tile.
struct Cell {
  int row, column;
};

// ---- layouts. `i` counts the elements that a lane holds: of tf32 one a register, of bf16 and f16 two, low
// half first.

/// Element i (0…3) of lane's part of C and D: 16×8.
LOUPE_DEVICE Cell fragment_c(int lane, int i) { return {lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2}; }

/// tf32, K = 8: element i (0…3) of A, 16×8, and i (0, 1) of B, 8×8 (row: k, column: n).
LOUPE_DEVICE Cell fragment_a_tf32(int lane, int i) { return {lane / 4 + i % 2 * 8, lane % 4 + i / 2 * 4}; }
LOUPE_DEVICE Cell fragment_b_tf32(int lane, int i) { return {lane % 4 + i * 4, lane / 4}; }

/// bf16 and f16, K = 16: element i (0…7) of A, 16×16, and i (0…3) of B, 16×8.
LOUPE_DEVICE Cell fragment_a_half(int lane, int i) {
  return {lane / 4 + i / 2 % 2 * 8, lane % 4 * 2 + i % 2 + i / 4 * 8};
}
LOUPE_DEVICE Cell fragment_b_half(int lane, int i) { return {lane % 4 * 2 + i % 2 + i / 2 * 8, lane / 4}; }

// ---- rounding

#if defined(__CUDACC__)

/// To the nearest tf32, ties away from zero, as the bits of a float.
LOUPE_DEVICE uint32_t to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}
/// Two values to the nearest bf16, ties to even; `low` in the low half.
LOUPE_DEVICE uint32_t pack_bf16(float low, float high) {
  uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}
LOUPE_DEVICE uint32_t pack_f16(float low, float high) {
  uint32_t bits;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

/// d = a·b + d. Every lane of the warp takes part.
LOUPE_DEVICE void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
LOUPE_DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
LOUPE_DEVICE void mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#else

LOUPE_DEVICE uint32_t float_bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
LOUPE_DEVICE float bits_float(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
LOUPE_DEVICE bool not_finite(uint32_t bits) { return (bits & 0x7f800000u) == 0x7f800000u; }

LOUPE_DEVICE uint32_t to_tf32(float x) {
  const uint32_t bits = float_bits(x);
  return not_finite(bits) ? bits : (bits + 0x1000u) & ~0x1fffu;
}

inline uint32_t bf16_bits(float x) {
  const uint32_t bits = float_bits(x);
  if (x != x) return 0x7fff;
  return not_finite(bits) ? bits >> 16 : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}
LOUPE_DEVICE uint32_t pack_bf16(float low, float high) { return bf16_bits(low) | bf16_bits(high) << 16; }

inline uint32_t f16_bits(float x) {
  const uint32_t sign = float_bits(x) >> 16 & 0x8000u;
  if (x != x) return 0x7fff;
  const float size = x < 0 ? -x : x;
  if (size >= 65520.0f) return sign | 0x7c00u;  // what would round to 2^16 and beyond is infinite
  if (size < 0x1p-14f) {                        // subnormal: a multiple of 2^-24
    const float scaled = size * 0x1p24f;        // exact; below 2^10
    auto n = static_cast<uint32_t>(scaled);
    const float rest = scaled - static_cast<float>(n);
    n += rest > 0.5f || (rest == 0.5f && (n & 1));
    return sign | n;
  }
  uint32_t bits = float_bits(size);
  bits += 0xfffu + (bits >> 13 & 1);
  return sign | ((bits >> 13) - (112u << 10));
}
LOUPE_DEVICE uint32_t pack_f16(float low, float high) { return f16_bits(low) | f16_bits(high) << 16; }

// What the tensor core makes of an operand's register.
inline float read_tf32(uint32_t bits, int) { return bits_float(bits & ~0x1fffu); }
inline float read_bf16(uint32_t bits, int half) { return bits_float(bits >> (16 * half) << 16); }
inline float read_f16(uint32_t bits, int half) {
  const uint32_t h = bits >> (16 * half) & 0xffffu, exponent = h >> 10 & 31, mantissa = h & 0x3ffu;
  const float sign = h & 0x8000u ? -1.0f : 1.0f;
  if (exponent == 0) return sign * static_cast<float>(mantissa) * 0x1p-24f;
  if (exponent == 31) return mantissa ? bits_float(0x7fc00000u) : sign * bits_float(0x7f800000u);
  return bits_float((h & 0x8000u) << 16 | (exponent + 112) << 23 | mantissa << 13);
}

struct MmaOperand {
  const uint32_t *a, *b;
  float* d;
};

// Gathers the fragments of all lanes into plain tiles, multiplies, and hands the lanes their part of the
// result.
template <int K, int PerRegister, auto layout_a, auto layout_b, auto read>
inline void multiply_tiles(void* const* lanes, uint32_t) {
  double a[16][K], b[K][8];
  for (int lane = 0; lane < kWarp; ++lane) {
    const auto& mine = *static_cast<const MmaOperand*>(lanes[lane]);
    for (int i = 0; i < 4 * PerRegister; ++i) {
      const Cell c = layout_a(lane, i);
      a[c.row][c.column] = double{read(mine.a[i / PerRegister], i % PerRegister)};
    }
    for (int i = 0; i < 2 * PerRegister; ++i) {
      const Cell c = layout_b(lane, i);
      b[c.row][c.column] = double{read(mine.b[i / PerRegister], i % PerRegister)};
    }
  }
  for (int lane = 0; lane < kWarp; ++lane)
    for (int i = 0; i < 4; ++i) {
      const Cell c = fragment_c(lane, i);
      float& d = static_cast<MmaOperand*>(lanes[lane])->d[i];
      double sum = double{d};
      for (int k = 0; k < K; ++k) sum += a[c.row][k] * b[k][c.column];
      d = static_cast<float>(sum);
    }
}

LOUPE_DEVICE void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  MmaOperand mine{a, b, d};
  warp_collective("mma_tf32", kAllLanes, &mine,
                  multiply_tiles<8, 1, fragment_a_tf32, fragment_b_tf32, read_tf32>);
}
LOUPE_DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  MmaOperand mine{a, b, d};
  warp_collective("mma_bf16", kAllLanes, &mine,
                  multiply_tiles<16, 2, fragment_a_half, fragment_b_half, read_bf16>);
}
LOUPE_DEVICE void mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  MmaOperand mine{a, b, d};
  warp_collective("mma_f16", kAllLanes, &mine,
                  multiply_tiles<16, 2, fragment_a_half, fragment_b_half, read_f16>);
}

#endif

}  // namespace loupe::LOUPE_TARGET
