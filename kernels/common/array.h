// Array: what a kernel sees of a tensor, namely a pointer, an element type, a shape and a memory layout. It
// owns nothing.
//
// Two layouts exist:
//   planar   row-major, (N, C, H, W): ref, cuda and sim, and every tensor a user holds.
//   blocked  channels in blocks of 16, (N, ⌈C/16⌉, H, W, 16): the cpu backend, inside a plan. One AVX-512
//            register holds the 16 channels of a pixel. Lanes past the last channel are zero, and every kernel
//            keeps them so.
// A rank-2 array (N, F) counts as (N, F, 1, 1): planar it is a matrix, blocked a matrix with rows padded to
// 16.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/common/shape.h"

namespace loupe {

/// Element types. `bit` is for masks: one bit an element, each image's bits padded to whole bytes so that
/// threads that work on different images never share a byte. Planar: bit i of an image is bit i%8 of byte
/// i/8. Blocked: 16 bits (a uint16) for each (n, channel block, h, w), bit = channel within the block.
enum class Dtype : uint8_t { f32, f64, i32, u8, bit };

enum class Layout : uint8_t { planar, blocked };

inline constexpr int64_t kBlock = 16;  // channels in a block

inline constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }
inline constexpr int64_t blocks(int64_t channels) { return ceil_div(channels, kBlock); }

std::string_view dtype_name(Dtype);
/// Bytes of one element; throws Error for `bit`.
int64_t dtype_bytes(Dtype);
/// Bytes of one image (dimension 0 left out) in a layout, padding included.
int64_t image_bytes(Dtype, const Shape&, Layout);
/// Bytes of the whole array.
int64_t array_bytes(Dtype, const Shape&, Layout);

struct Array {
  void* data = nullptr;
  Dtype dtype = Dtype::f32;
  Shape shape;
  Layout layout = Layout::planar;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  explicit operator bool() const { return data != nullptr; }
  int64_t bytes() const { return array_bytes(dtype, shape, layout); }
};

/// Copies `from` into `to`, which has the same shape, converting between layouts and between f32 and f64,
/// i32, u8; a `bit` array converts to and from u8 zeros and ones. Values that `to`'s type cannot hold are a
/// caller's error. Threaded over images and channels; blocked destinations get zero padding lanes.
void convert(const Array& from, const Array& to);

}  // namespace loupe
