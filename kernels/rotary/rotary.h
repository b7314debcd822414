// rotary: positions as rotations (Su et al. 2021, "RoFormer: enhanced transformer with rotary position embedding",
// section 3.2.2). Pair i of each head's channels, at position p, is turned by p · θ_i:
//
//   θ_i = base^(−2i / turned)        i = 0 … turned/2 − 1
//   (a, b) → (a·cos − b·sin, a·sin + b·cos)
//
// Pair i is channels 2i and 2i + 1 (interleaved: GGUF's rows of llama) or i and i + turned/2 (Hugging Face's).
// Channels from `turned` on stay as they are. The vjp turns dL/dy back. Angles, sines and cosines are computed in
// double on every backend.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

struct Rotary {
  int64_t width = 0;         // of a head
  double base = 10000;       // of the angles
  bool interleaved = false;  // which channels are a pair
  int64_t offset = 0;        // position of the first row
  int64_t turned = 0;        // channels of a head that are turned, an even number; 0: all
};

/// Graph node: queries or keys (N, L, heads · width), row l of which is at position offset + l; output of the same
/// shape. Throws UsageError for a configuration or a shape that does not fit.
OpPtr rotary(Rotary attributes);

/// A call's sizes, as kernels want them. `rows`: of all images.
struct RotarySizes {
  int64_t rows, length, heads, width, turned, offset;
  double base;
  bool interleaved;

  constexpr int64_t pairs() const { return turned / 2; }
  /// Channel of a pair's first number in its head, and how far behind it the second one is.
  constexpr int64_t first(int64_t pair) const { return interleaved ? 2 * pair : pair; }
  constexpr int64_t step() const { return interleaved ? 1 : pairs(); }
};

// `back`: turned by the opposite angle. y may be x.
namespace host {  // ref and cpu
template <typename T>
void rotary(const RotarySizes& s, bool back, const T* x, T* y);
}  // namespace host

namespace device {  // rotary.cu
inline constexpr DeviceFunction<void(const RotarySizes& s, bool back, const float* x, float* y)> rotary{
    "rotary"};
}  // namespace device

}  // namespace loupe
