#include "engine/neurons/map_window.h"

#include <algorithm>
#include <cstring>

namespace loupe {

bool has_cells(const Array& maps) { return maps.dtype != Dtype::bit || maps.layout == Layout::blocked; }

Maps maps_of(const Array& maps, int64_t image) {
  const Nchw s = Nchw::of(maps.shape);
  const bool blocked = maps.layout == Layout::blocked;
  const int64_t bits = maps.dtype == Dtype::bit ? 1 : 8 * dtype_bytes(maps.dtype);
  return {.data = maps.as<std::byte>() + image * image_bytes(maps.dtype, maps.shape, maps.layout),
          .planes = blocked ? blocks(s.c) : s.c,
          .size = {s.h, s.w},
          .cell = bits * (blocked ? kBlock : 1) / 8};
}

void copy_window(const Maps& from, Pair at, Pair size, const Maps& to, Pair at_to) {
  const auto bytes = static_cast<size_t>(size.w * from.cell);
  for (int64_t p = 0; p < from.planes; ++p)
    for (int64_t y = 0; y < size.h; ++y)
      std::memcpy(to.at(p, at_to.h + y, at_to.w), from.at(p, at.h + y, at.w), bytes);
}

void copy_into_zeros(const Maps& from, Pair at, Pair size, const Maps& to, Pair at_to) {
  const auto clear = [](std::byte* begin, const std::byte* end) {
    if (begin < end) std::memset(begin, 0, static_cast<size_t>(end - begin));
  };
  std::byte* done = to.data;  // all before it is written
  for (int64_t p = 0; p < from.planes; ++p)
    for (int64_t y = 0; y < size.h; ++y) {
      std::byte* row = to.at(p, at_to.h + y, at_to.w);
      clear(done, row);
      const int64_t bytes = size.w * from.cell;
      std::memcpy(row, from.at(p, at.h + y, at.w), static_cast<size_t>(bytes));
      done = row + bytes;
    }
  clear(done, to.at(to.planes, 0, 0));
}

namespace {

template <typename T, typename Item>
void fill_planar(const Tensor& to, const Item& item) {
  const Shape& s = to.shape();
  T* next = reinterpret_cast<T*>(to.raw());
  for (int64_t c = 0; c < s[0]; ++c)
    for (int64_t y = 0; y < s[1]; ++y)
      for (int64_t x = 0; x < s[2]; ++x) *next++ = item(c, y, x);
}

}  // namespace

void copy_planar(const Array& maps, int64_t image, Pair at, const Tensor& to) {
  const Nchw s = Nchw::of(maps.shape);
  const auto* from = maps.as<const std::byte>() + image * image_bytes(maps.dtype, maps.shape, maps.layout);
  const auto index = [&](int64_t c, int64_t y, int64_t x) {
    return maps.layout == Layout::planar
               ? (c * s.h + at.h + y) * s.w + at.w + x
               : ((c / kBlock * s.h + at.h + y) * s.w + at.w + x) * kBlock + c % kBlock;
  };
  const auto element = [&]<typename T>(T) {
    const T* elements = reinterpret_cast<const T*>(from);
    fill_planar<T>(to, [&](int64_t c, int64_t y, int64_t x) { return elements[index(c, y, x)]; });
  };
  if (maps.dtype == Dtype::bit)
    fill_planar<std::byte>(to, [&](int64_t c, int64_t y, int64_t x) {
      const int64_t i = index(c, y, x);
      return from[i / 8] >> i % 8 & std::byte{1};
    });
  else if (dtype_bytes(maps.dtype) == 1)
    element(uint8_t{});
  else if (dtype_bytes(maps.dtype) == 4)
    element(uint32_t{});
  else
    element(uint64_t{});
}

OwnArray::OwnArray(Dtype dtype, const Shape& shape, Layout layout)
    : memory(Storage::allocate(std::max<int64_t>(array_bytes(dtype, shape, layout), 1))),
      array{memory->data(), dtype, shape, layout} {}

}  // namespace loupe
