// How a matrix product is cut on the CPU: what every instruction set and the dispatch share
// (product.cpu.cpp).
#pragma once
#include <algorithm>

#include "kernels/matmul/product.h"

namespace loupe::cpu {

inline constexpr int64_t kDepth = 256;         // steps of k that a task packs at once
inline constexpr int64_t kPiece = 4 * kDepth;  // of an unpacked b that is packed at once
/// Floats of 4 packed rows of a; not a power of two, for the cache's sets.
inline constexpr int64_t kGroup = kDepth * 4 + 16;
inline constexpr int64_t kGroups = 36;             // of a task
inline constexpr int64_t kPackedAtOnce = 1 << 20;  // floats of b, where there are several

/// A stretch of the long sum: of one term, or of a part of its k.
struct Piece {
  int64_t term, k_begin, k_end;
  bool first, last;
};

/// The work on `items` results, from result `first` on.
struct Work {
  Product p;
  const float *a, *b;
  Tail tail;          // what the tiles end with
  bool tail_in_bits;  // the epilogue's record is of bits
  float* c;
  float* packed;  // b: (item, panel, k of the piece, 16)
  bool b_is_packed;
  float* scratch;  // kGroups · kGroup floats for each thread
  int64_t first, items;

  int64_t panels() const { return blocks(p.n); }
  /// Floats from one packed panel to the next.
  int64_t panel_stride() const { return (b_is_packed ? p.k : std::min(p.k, kPiece)) * kBlock; }
  Product::Offsets operands(int64_t item, const Piece& piece) const {
    const Product::Offsets r = Product::offsets(p.results, first + item),
                           t = Product::offsets(p.terms, piece.term);
    return {r.a + t.a, r.b + t.b};
  }
};

}  // namespace loupe::cpu
