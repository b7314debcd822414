#include "kernels/common/array.h"

#include <algorithm>
#include <cstring>

#include "kernels/common/error.h"
#include "kernels/common/parallel.h"

namespace loupe {

std::string_view dtype_name(Dtype t) {
  switch (t) {
    case Dtype::f32:
      return "f32";
    case Dtype::f64:
      return "f64";
    case Dtype::i32:
      return "i32";
    case Dtype::u8:
      return "u8";
    case Dtype::bit:
      return "bit";
  }
  return "?";
}

int64_t dtype_bytes(Dtype t) {
  switch (t) {
    case Dtype::f32:
    case Dtype::i32:
      return 4;
    case Dtype::f64:
      return 8;
    case Dtype::u8:
      return 1;
    case Dtype::bit:
      break;
  }
  throw Error("an element of type bit has no size in bytes");
}

int64_t image_bytes(Dtype dtype, const Shape& shape, Layout layout) {
  if (layout == Layout::planar) {
    int64_t elements = 1;
    for (int i = 1; i < shape.rank(); ++i) elements *= shape[i];
    return dtype == Dtype::bit ? ceil_div(elements, 8) : elements * dtype_bytes(dtype);
  }
  const Nchw s = Nchw::of(shape);
  const int64_t cells = blocks(s.c) * s.h * s.w;
  return dtype == Dtype::bit ? cells * 2 : cells * kBlock * dtype_bytes(dtype);
}

int64_t array_bytes(Dtype dtype, const Shape& shape, Layout layout) {
  return shape.rank() == 0 ? dtype_bytes(dtype) : shape[0] * image_bytes(dtype, shape, layout);
}

namespace {

// Position of element (c, pixel) of an image in either layout; for `bit` this is the index of the bit.
struct Place {
  int64_t pixels;
  Layout layout;
  int64_t operator()(int64_t c, int64_t pixel) const {
    return layout == Layout::planar ? c * pixels + pixel
                                    : ((c / kBlock) * pixels + pixel) * kBlock + c % kBlock;
  }
};

template <typename A, typename B>
void convert_image(const A* from, const B* to_base, Place a, Place b, int64_t c0, int64_t c1) {
  B* to = const_cast<B*>(to_base);
  for (int64_t c = c0; c < c1; ++c)
    for (int64_t p = 0; p < a.pixels; ++p) to[b(c, p)] = static_cast<B>(from[a(c, p)]);
}

template <typename A>
void convert_to(const A* from, std::byte* to, Dtype dtype, Place a, Place b, int64_t c0, int64_t c1) {
  switch (dtype) {
    case Dtype::f32:
      return convert_image(from, reinterpret_cast<float*>(to), a, b, c0, c1);
    case Dtype::f64:
      return convert_image(from, reinterpret_cast<double*>(to), a, b, c0, c1);
    case Dtype::i32:
      return convert_image(from, reinterpret_cast<int32_t*>(to), a, b, c0, c1);
    case Dtype::u8:
      return convert_image(from, reinterpret_cast<uint8_t*>(to), a, b, c0, c1);
    case Dtype::bit:
      break;
  }
  throw Error("cannot convert this array to bits");
}

void convert_block(const std::byte* from, Dtype dtype, std::byte* to, Dtype to_dtype, Place a, Place b,
                   int64_t c0, int64_t c1) {
  switch (dtype) {
    case Dtype::f32:
      return convert_to(reinterpret_cast<const float*>(from), to, to_dtype, a, b, c0, c1);
    case Dtype::f64:
      return convert_to(reinterpret_cast<const double*>(from), to, to_dtype, a, b, c0, c1);
    case Dtype::i32:
      return convert_to(reinterpret_cast<const int32_t*>(from), to, to_dtype, a, b, c0, c1);
    case Dtype::u8:
      return convert_to(reinterpret_cast<const uint8_t*>(from), to, to_dtype, a, b, c0, c1);
    case Dtype::bit:
      break;
  }
  throw Error("cannot convert this array from bits");
}

void bits_to_bytes(const uint8_t* from, uint8_t* to, Place a, Place b, int64_t channels) {
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t p = 0; p < a.pixels; ++p) {
      const int64_t i = a(c, p);
      to[b(c, p)] = (from[i / 8] >> (i % 8)) & 1;
    }
}

void bytes_to_bits(const uint8_t* from, uint8_t* to, Place a, Place b, int64_t channels) {
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t p = 0; p < a.pixels; ++p)
      if (from[a(c, p)]) {
        const int64_t i = b(c, p);
        to[i / 8] = static_cast<uint8_t>(to[i / 8] | (1u << (i % 8)));
      }
}

}  // namespace

void convert(const Array& from, const Array& to) {
  if (from.shape.numel() != to.shape.numel() || from.shape.rank() == 0 || from.shape[0] != to.shape[0])
    throw Error("cannot convert an array " + from.shape.str() + " to " + to.shape.str());
  const bool same = from.layout == to.layout && from.dtype == to.dtype;
  if (same && from.shape == to.shape) {
    std::memcpy(to.data, from.data, static_cast<size_t>(to.bytes()));
    return;
  }
  // Planar arrays of any rank convert as (N, everything); a blocked one has rank 2 or 4.
  const bool blocked = from.layout == Layout::blocked || to.layout == Layout::blocked;
  const Shape& shape = from.layout == Layout::blocked ? from.shape : to.shape;
  const Nchw s = blocked ? Nchw::of(shape) : Nchw{shape[0], 1, 1, shape[0] ? shape.numel() / shape[0] : 0};
  const Place a{s.h * s.w, from.layout}, b{s.h * s.w, to.layout};
  const int64_t from_image = image_bytes(from.dtype, from.shape, from.layout);
  const int64_t to_image = image_bytes(to.dtype, to.shape, to.layout);
  const auto* src = from.as<const std::byte>();
  auto* dst = to.as<std::byte>();
  const int64_t chunk = kBlock, chunks = ceil_div(s.c, chunk);
  const bool bits = from.dtype == Dtype::bit || to.dtype == Dtype::bit;
  if (bits) {
    const bool known = (from.dtype == Dtype::bit || from.dtype == Dtype::u8) &&
                       (to.dtype == Dtype::bit || to.dtype == Dtype::u8) && from.dtype != to.dtype;
    if (!known) throw Error("a bit array converts to and from u8 only");
    parallel_for(s.n, [&](int64_t n) {
      const auto* f = reinterpret_cast<const uint8_t*>(src + n * from_image);
      auto* t = reinterpret_cast<uint8_t*>(dst + n * to_image);
      std::memset(t, 0, static_cast<size_t>(to_image));
      from.dtype == Dtype::bit ? bits_to_bytes(f, t, a, b, s.c) : bytes_to_bits(f, t, a, b, s.c);
    });
    return;
  }
  const bool pad = to.layout == Layout::blocked && s.c % kBlock != 0;
  parallel_for(s.n * chunks, [&](int64_t i) {
    const int64_t n = i / chunks, k = i % chunks;
    std::byte* t = dst + n * to_image;
    if (pad && k == chunks - 1) {
      const int64_t block_bytes = a.pixels * kBlock * dtype_bytes(to.dtype);
      std::memset(t + k * block_bytes, 0, static_cast<size_t>(block_bytes));
    }
    convert_block(src + n * from_image, from.dtype, t, to.dtype, a, b, k * chunk,
                  std::min(s.c, (k + 1) * chunk));
  });
}

}  // namespace loupe
