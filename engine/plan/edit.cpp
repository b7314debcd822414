#include "engine/plan/edit.h"

namespace loupe {

Cells Cells::operator&(const Cells& other) const {
  Cells both = *this;
  both.axes.insert(both.axes.end(), other.axes.begin(), other.axes.end());
  return both;
}

Tensor Cells::mask(const Shape& shape) const {
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const int64_t size : shape.dims()) ranges.emplace_back(0, size);
  for (const Axis& a : axes) {
    const int axis = a.axis < 0 ? a.axis + shape.rank() : a.axis;
    if (axis < 0 || axis >= shape.rank() || a.begin < 0 || a.begin >= a.end || a.end > shape[axis])
      throw UsageError("an edit of [" + std::to_string(a.begin) + ", " + std::to_string(a.end) +
                       ") on axis " + std::to_string(a.axis) + " lies outside " + shape.str());
    auto& [begin, end] = ranges[static_cast<size_t>(axis)];
    begin = std::max(begin, a.begin);
    end = std::min(end, a.end);
  }
  Tensor mask = Tensor::zeros(Dtype::u8, shape);
  const auto inside_of = mask.values<uint8_t>();
  for (int64_t i = 0; i < shape.numel(); ++i) {
    int64_t rest = i;
    bool inside = true;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      const int64_t at = rest % shape[d];
      rest /= shape[d];
      inside &= at >= ranges[static_cast<size_t>(d)].first && at < ranges[static_cast<size_t>(d)].second;
    }
    inside_of[static_cast<size_t>(i)] = inside;
  }
  return mask;
}

}  // namespace loupe
