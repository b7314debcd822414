// secant_max_pool2d: a signal sent down a max pool's chords, from each row of a batch to the next. Where one place p of
// a window is the largest in rows n and n + 1 it gets the whole signal; where p is in row n and q in row n + 1 they
// share it by how much of the way each is the larger one, if both change evenly:
//
//   p gets s·t and q gets s·(1 − t),   t = (x[n]_p − x[n]_q) / ((x[n]_p − x[n]_q) + (x[n+1]_q − x[n+1]_p))
//
// so that Σ (x[n+1] − x[n])·y[n] = Σ s[n]·(pool(x[n+1]) − pool(x[n])) to rounding. What meets at a place adds up.
//
//   s (N, C, H', W'), x (N, C, H, W)  →  (N, C, H, W); of the last row, which has no next, 0
//
// Ties go to the first place in row-major order, as in max_pool2d. A rule of the way back applies it; its own
// vjp, of the signal alone, is on ref, to check it by.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"
#include "kernels/common/pooling.h"

namespace loupe {

/// Graph node: operands s and x. UsageError from shape() unless s is as large as x pooled.
OpPtr secant_max_pool2d(const Pooling& pooling);

namespace host {
/// The shares of windows (planes, windows, lanes) between two rows, lanes: 1, or 16 channels side by side.
/// own = s·t, and other = s·(1 − t), which is 0 where the places are the same.
template <typename T>
void chord_shares(const Pooling& pooling, Pair map, Pair pooled, int64_t lanes, const T* s, const T* x,
                  const T* x_next, const uint8_t* switches, const uint8_t* switches_next, T* own, T* other,
                  int64_t planes);
/// Adds numbers to where switches point.
template <typename T>
void add_shares(const Pooling& pooling, Pair map, Pair pooled, int64_t lanes, const T* other,
                const uint8_t* switches, T* to, int64_t planes);
}  // namespace host

namespace device {  // secant_max_pool2d.cu
/// The same, planar, of the first `open` planes; 0 in the rest. The next row is `channels` planes further on.
inline constexpr DeviceFunction<void(const Pooling& pooling, Pair map, Pair pooled, const float* s,
                                     const float* x, const uint8_t* switches, float* own, float* other,
                                     int64_t planes, int64_t open, int64_t channels)>
    chord_shares{"chord_shares"};
/// to += from
inline constexpr DeviceFunction<void(const float* from, float* to, int64_t count)> add_numbers{"add_numbers"};
}  // namespace device

}  // namespace loupe
