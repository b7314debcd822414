// Shape: the sizes of an array, first dimension the batch. (N, C, H, W) for maps, (N, F) for feature vectors.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace loupe {

class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  /// Throws Error for more than kMaxRank dimensions, a negative one, or more than 2^60 elements.
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  int64_t back() const { return dims_[static_cast<size_t>(rank_ - 1)]; }
  /// Number of elements; 1 for a rank-0 shape.
  int64_t numel() const { return numel_; }
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }
  /// The same shape with dimension `i` replaced.
  Shape with(int i, int64_t value) const;
  /// "(1, 3, 224, 224)"
  std::string str() const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.rank_ == b.rank_ && a.dims_ == b.dims_; }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
  int64_t numel_ = 1;
};

/// A maps-or-vectors shape read as four sizes: (N, C, H, W), or (N, F) as (N, F, 1, 1).
struct Nchw {
  int64_t n = 1, c = 1, h = 1, w = 1;
  /// Throws Error unless the rank is 2 or 4.
  static Nchw of(const Shape& s);
  int64_t image() const { return c * h * w; }
};

/// A (height, width) pair of an operation's parameters; one number sets both.
struct Pair {
  int64_t h = 0, w = 0;
  constexpr Pair(int64_t both) : h(both), w(both) {}  // NOLINT: implicit on purpose, `{.kernel = 3}`
  constexpr Pair(int64_t height, int64_t width) : h(height), w(width) {}
  friend bool operator==(const Pair&, const Pair&) = default;
  /// "3×3"
  std::string str() const;
};

}  // namespace loupe
