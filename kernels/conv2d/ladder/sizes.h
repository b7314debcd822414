// The convolution as every rung sees it: its sizes in 32 bits, and where an output's window lies in x.
#pragma once
#include "kernels/conv2d/conv2d.h"
#include "kernels/device/cells.h"

namespace loupe::LOUPE_TARGET {

/// The cells of x that one output pixel sees.
struct Window {
  int image, pixel;  // which output: its image, and its place oh·OW + ow on the map
  int top, left;     // its first cell, in rows and columns of x; negative in the padding
};

struct Sizes {
  int h, w, k, oh, ow;
  int kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
  int groups, group_c, group_k;
  int map;     // OH·OW
  int pixels;  // outputs of one channel: N·OH·OW
  int terms;   // of the sum behind one output: C/G · kernel.h · kernel.w
  Divider by_map, by_width, by_kernel, by_kernel_w;

  /// Throws Failure for sizes that 32 bits do not hold.
  explicit Sizes(const ConvSizes& s)
      : h(small(s.h)),
        w(small(s.w)),
        k(small(s.k)),
        oh(small(s.oh)),
        ow(small(s.ow)),
        kernel_h(small(s.kernel.h)),
        kernel_w(small(s.kernel.w)),
        stride_h(small(s.stride.h)),
        stride_w(small(s.stride.w)),
        padding_h(small(s.padding.h)),
        padding_w(small(s.padding.w)),
        dilation_h(small(s.dilation.h)),
        dilation_w(small(s.dilation.w)),
        groups(small(s.groups)),
        group_c(small(s.group_c())),
        group_k(small(s.group_k())),
        map(small(s.oh * s.ow)),
        pixels(small(s.n * s.oh * s.ow)),
        terms(small(s.group_c() * s.kernel.h * s.kernel.w)),
        by_map(map),
        by_width(ow),
        by_kernel(s.kernel.h * s.kernel.w),
        by_kernel_w(kernel_w) {
    small(s.group_c() * s.h * s.w);
    small(s.h + 2 * s.padding.h);  // so that places in the padding have a number, too
    small(s.w + 2 * s.padding.w);
  }

  /// The window of output pixel p, counted over the batch. From `pixels` on: one that sees no cell.
  LOUPE_DEVICE Window window(int p) const {
    if (p >= pixels) return {0, 0, -(1 << 30) - 1, 0};
    const int image = by_map.quotient(p), pixel = p - image * map, row = by_width.quotient(pixel);
    return {image, pixel, row * stride_h - padding_h, (pixel - row * ow) * stride_w - padding_w};
  }
  /// Where x has the C/G maps that an image's outputs of this group see.
  LOUPE_DEVICE int64_t maps(const Window& at, int group) const {
    return (int64_t{at.image} * groups + group) * group_c * h * w;
  }
  /// Where y has an output.
  LOUPE_DEVICE int64_t output(const Window& at, int channel) const {
    return (int64_t{at.image} * k + channel) * map + at.pixel;
  }

  /// Term t is the product of the filter's element t = (c·kernel.h + r)·kernel.w + q and of a cell of map c:
  /// its place in the maps, −1 if it lies in the padding or there is no such term.
  LOUPE_DEVICE int cell(const Window& at, int t) const {
    const int c = by_kernel.quotient(t), tap = t - c * kernel_h * kernel_w;
    const int r = by_kernel_w.quotient(tap), q = tap - r * kernel_w;
    const int ih = at.top + r * dilation_h, iw = at.left + q * dilation_w;
    const bool inside = t < terms && ih >= 0 && ih < h && iw >= 0 && iw < w;
    return inside ? (c * h + ih) * w + iw : -1;
  }
};

}  // namespace loupe::LOUPE_TARGET
