#include "kernels/common/pooling.h"

#include <algorithm>
#include <numeric>

#include "kernels/common/array.h"
#include "kernels/common/error.h"

namespace loupe {

namespace {

constexpr int64_t kLimit = int64_t{1} << 30;  // products of two still fit

void expect_between(std::string_view op, const char* what, Pair value, int64_t low) {
  if (std::min(value.h, value.w) >= low && std::max(value.h, value.w) <= kLimit) return;
  throw UsageError(std::string(op) + ": " + what + " must be " + (low ? "at least 1" : "0 or more") +
                   " and at most 2^30, got " + value.str());
}

// Windows along an axis, or 0.
int64_t pooled_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                    bool ceil) {
  const int64_t slack = size + 2 * padding - dilation * (kernel - 1) - 1 + (ceil ? stride - 1 : 0);
  if (slack < 0) return 0;
  int64_t count = slack / stride + 1;
  if (ceil && (count - 1) * stride >= size + padding) --count;
  return count;
}

std::vector<WindowSpan> spans(int64_t size, int64_t count, int64_t kernel, int64_t stride, int64_t padding,
                              int64_t dilation) {
  std::vector<WindowSpan> all;
  all.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = i * stride - padding;
    const int64_t begin = first < 0 ? ceil_div(-first, dilation) : 0;
    const int64_t end = first < size ? std::min(kernel, ceil_div(size - first, dilation)) : 0;
    all.push_back({first, begin, end});
  }
  return all;
}

}  // namespace

void Pooling::check(std::string_view op) const {
  expect_between(op, "the kernel", kernel, 1);
  expect_between(op, "the stride", stride, 1);
  expect_between(op, "the padding", padding, 0);
  expect_between(op, "the dilation", dilation, 1);
  if (padding.h > kernel.h / 2 || padding.w > kernel.w / 2)
    throw UsageError(std::string(op) + ": the padding " + padding.str() +
                     " is more than half of the kernel " + kernel.str());
}

Pair Pooling::windows(Pair map) const {
  return {pooled_size(map.h, kernel.h, stride.h, padding.h, dilation.h, ceil_mode),
          pooled_size(map.w, kernel.w, stride.w, padding.w, dilation.w, ceil_mode)};
}

Pair Pooling::pooled(std::string_view op, Pair map) const {
  check(op);
  const Pair out = windows(map);
  if (out.h < 1 || out.w < 1)
    throw UsageError(std::string(op) + ": the window (" + str() + ") is larger than the " + map.str() +
                     " map");
  return out;
}

std::vector<WindowSpan> Pooling::rows(Pair map, Pair pooled) const {
  return spans(map.h, pooled.h, kernel.h, stride.h, padding.h, dilation.h);
}

std::vector<WindowSpan> Pooling::columns(Pair map, Pair pooled) const {
  return spans(map.w, pooled.w, kernel.w, stride.w, padding.w, dilation.w);
}

int64_t Pooling::overlap() const {
  // Cell r of a window covers a given place where r·dilation is right modulo the stride: every (stride /
  // gcd)-th r.
  const auto axis = [](int64_t k, int64_t s, int64_t d) { return ceil_div(k, s / std::gcd(s, d)); };
  return axis(kernel.h, stride.h, dilation.h) * axis(kernel.w, stride.w, dilation.w);
}

std::string Pooling::str() const {
  std::string s = kernel.str() + ", stride " + short_str(stride);
  if (padding != Pair(0)) s += ", padding " + short_str(padding);
  if (dilation != Pair(1)) s += ", dilation " + short_str(dilation);
  if (ceil_mode) s += ", ceil";
  return s;
}

void expect_switch_fits(std::string_view op, Pair kernel) {
  if (kernel.h * kernel.w > 256)
    throw UsageError(std::string(op) + ": a window has at most 256 cells (a switch is one byte), not " +
                     kernel.str());
}

std::string short_str(Pair p) { return p.h == p.w ? std::to_string(p.h) : p.str(); }

}  // namespace loupe
