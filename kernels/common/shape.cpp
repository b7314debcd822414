#include "kernels/common/shape.h"

#include "kernels/common/error.h"

namespace loupe {

Shape::Shape(std::span<const int64_t> dims) {
  if (dims.size() > kMaxRank)
    throw Error("a shape has at most 6 dimensions, not " + std::to_string(dims.size()));
  for (int64_t d : dims) {
    if (d < 0) throw Error("a shape cannot have the negative size " + std::to_string(d));
    dims_[static_cast<size_t>(rank_++)] = d;
    constexpr int64_t kLimit = int64_t{1} << 60;
    if (d != 0 && numel_ > kLimit / d) throw Error("the shape " + str() + "... has too many elements");
    numel_ *= d;
  }
}

Shape Shape::with(int i, int64_t value) const {
  auto dims = dims_;
  dims[static_cast<size_t>(i)] = value;
  return Shape(std::span<const int64_t>(dims.data(), static_cast<size_t>(rank_)));
}

std::string Shape::str() const {
  std::string s = "(";
  for (int i = 0; i < rank_; ++i) s += (i ? ", " : "") + std::to_string((*this)[i]);
  return s + ")";
}

Nchw Nchw::of(const Shape& s) {
  if (s.rank() == 4) return {s[0], s[1], s[2], s[3]};
  if (s.rank() == 2) return {s[0], s[1], 1, 1};
  throw Error("expected a shape (N, C, H, W) or (N, F), got " + s.str());
}

std::string Pair::str() const { return std::to_string(h) + "×" + std::to_string(w); }

}  // namespace loupe
