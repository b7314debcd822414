// The shares of a max pool's chords on a GPU, one thread a window; what sends them is max_unpool2d. Floor: 5 bytes read
// and 8 written a window.
#include "kernels/secant_max_pool2d/secant_max_pool2d.h"

#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/vectors.h"
#include "kernels/device/windows.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL chord_shares_kernel(Cells windows, WindowAxis rows, WindowAxis columns, Divider by_width,
                                 Divider by_kernel, const float* s, const float* x, const uint8_t* switches,
                                 float* own, float* other, int64_t open, int64_t channels) {
  int64_t plane;
  int cell;
  if (!windows.find(plane, cell)) return;
  const int i = by_width.quotient(cell), j = cell - i * columns.count;
  const int64_t count = int64_t{rows.count} * columns.count, at = plane * count + cell;
  if (plane >= open) {
    own[at] = other[at] = 0;
    return;
  }
  float mine = s[at], next = 0;
  const int first = switches[at], second = switches[at + channels * count];
  if (first != second) {
    const auto place = [&](int position) {
      const int r = by_kernel.quotient(position), c = position - r * columns.kernel;
      return (rows.begin(i) + r * rows.dilation) * columns.size + columns.begin(j) + c * columns.dilation;
    };
    const float* from = x + plane * rows.size * columns.size;
    const float* to = from + channels * rows.size * columns.size;
    const float before = from[place(first)] - from[place(second)],
                after = to[place(second)] - to[place(first)];
    if (before + after > 0) {
      next = mine * (after / (before + after));
      mine = mine * (before / (before + after));
    }
  }
  own[at] = mine;
  other[at] = next;
}

LOUPE_KERNEL add_numbers_kernel(Vectors elements, const float* from, float* to) {
  elements.visit([&](int64_t first, auto width) {
    for (int64_t i = first; i < first + width(); ++i) to[i] += load_readonly(from + i);
  });
}

}  // namespace

void chord_shares(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* s, const float* x,
                  const uint8_t* switches, float* own, float* other, int64_t planes, int64_t open,
                  int64_t channels) {
  const Cells windows(planes, pooled.h * pooled.w);
  small(map.h * map.w);  // a place on the map is counted in 32 bits
  launch(windows.launch_in(stream), chord_shares_kernel, windows, WindowAxis::rows(p, map, pooled),
         WindowAxis::columns(p, map, pooled), Divider(pooled.w), Divider(p.kernel.w), s, x, switches, own,
         other, open, channels);
}

void add_numbers(Stream stream, const float* from, float* to, int64_t count) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), add_numbers_kernel, elements, from, to);
}

LOUPE_EXPORT(chord_shares);
LOUPE_EXPORT(add_numbers);

}  // namespace loupe::LOUPE_TARGET
