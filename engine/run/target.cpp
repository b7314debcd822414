#include "engine/run/target.h"

#include <algorithm>
#include <cmath>

#include "engine/run/network.h"
#include "kernels/class_seed/class_seed.h"

namespace loupe {

namespace {
void expect_class(int64_t cls, int64_t classes) {
  if (cls < 0 || cls >= classes)
    throw UsageError("there is no class " + std::to_string(cls) + ": the network has " +
                     std::to_string(classes) + ", counted from 0");
}
[[noreturn]] void no_class() {
  throw UsageError("this method explains the score of a class, not another function of the result");
}

// The numbers of a row that unit c is the sum of: `count` of them, `step` apart.
struct UnitCells {
  int64_t first, count, step;
};
UnitCells cells_of(const Shape& s, int64_t c, const std::optional<std::pair<int64_t, int64_t>>& place) {
  const auto expect_channel = [&](int64_t channels) {
    if (c < 0 || c >= channels)
      throw UsageError("there is no unit " + std::to_string(c) + ": the layer " + s.with(0, 1).str() +
                       " has " + std::to_string(channels) + ", counted from 0");
  };
  if (s.rank() == 4) {
    expect_channel(s[1]);
    const int64_t places = s[2] * s[3];
    if (!place) return {c * places, places, 1};
    const auto [y, x] = *place;
    if (y < 0 || y >= s[2] || x < 0 || x >= s[3])
      throw UsageError("there is no place (" + std::to_string(y) + ", " + std::to_string(x) +
                       ") in maps of " + Pair(s[2], s[3]).str());
    return {c * places + y * s[3] + x, 1, 1};
  }
  if (s.rank() != 2 && s.rank() != 3)
    throw UsageError("a unit is one of maps (N, C, H, W), tokens (N, L, D) or rows (N, D), not of " +
                     s.str());
  if (place)
    throw UsageError("a layer " + s.with(0, 1).str() + " has no maps: its unit is C alone, without a place");
  const int last = s.rank() - 1;
  expect_channel(s[last]);
  return {c, last == 2 ? s[1] : 1, s[last]};
}
}  // namespace

std::vector<int32_t> Target::wanted(int64_t count, int64_t classes, int64_t first) const {
  if (!is_class()) no_class();
  if (each_ && first + count > std::ssize(classes_))
    throw UsageError("the target names " + std::to_string(classes_.size()) + " classes for " +
                     std::to_string(first + count) + " images: give one class for all, or one for each");
  std::vector<int32_t> wanted;
  for (int64_t n = 0; n < count; ++n) {
    const int64_t cls = classes_.empty() ? -1
                        : each_          ? classes_[static_cast<size_t>(first + n)]
                                         : classes_[0];
    if (!classes_.empty()) expect_class(cls, classes);
    wanted.push_back(static_cast<int32_t>(cls));
  }
  return wanted;
}

std::vector<int64_t> Target::classes(const Tensor& logits, int64_t first) const {
  const int64_t count = logits.shape()[0], classes = logits.numel() / std::max<int64_t>(count, 1);
  const std::vector<int32_t> wanted = this->wanted(count, classes, first);
  const Tensor rows = logits.to(Dtype::f64);
  std::vector<int64_t> chosen;
  for (int64_t n = 0; n < count; ++n)
    chosen.push_back(
        class_of(rows.values<const double>().data() + n * classes, classes, wanted[static_cast<size_t>(n)]));
  return chosen;
}

std::optional<int64_t> Target::one_class() const {
  return is_class() && classes_.size() == 1 ? std::optional(classes_[0]) : std::nullopt;
}

std::vector<std::pair<int64_t, double>> Target::weights(const Tensor& result, int64_t n) const {
  if (!is_class() && sum_.empty()) no_class();
  if (is_class()) return {{classes(result, n)[0], 1.0}};
  for (const auto& [cls, weight] : sum_) expect_class(cls, result.numel());
  return sum_;
}

void Target::check(const Shape& shape) const {
  if (unit_) cells_of(shape, unit_->channel, unit_->place);
  for (const int64_t c : classes_) expect_class(c, shape.with(0, 1).numel());
  for (const auto& [cls, weight] : sum_) expect_class(cls, shape.with(0, 1).numel());
}

Target Target::of(NodeId node) const {
  Target other = *this;
  other.node_ = node;
  return other;
}

Target Target::image(int64_t n) const {
  Target other = *this;
  if (each_) other.classes_ = {classes_.at(static_cast<size_t>(n))};
  return other;
}

Target Target::repeated(int64_t rows) const {
  Target other = *this;
  if (!each_) return other;
  other.classes_.clear();
  for (const int64_t c : classes_) other.classes_.insert(other.classes_.end(), static_cast<size_t>(rows), c);
  return other;
}

Target Target::called(std::string words) const {
  Target other = *this;
  other.words_ = std::move(words);
  return other;
}

std::string Target::words() const {
  if (!words_.empty()) return words_;
  if (unit_) {
    std::string text = "unit " + std::to_string(unit_->channel);
    if (unit_->place)
      text +=
          " at (" + std::to_string(unit_->place->first) + ", " + std::to_string(unit_->place->second) + ")";
    return text;
  }
  if (scalar_) return "a function of the result";
  if (const auto cls = one_class()) return "class " + std::to_string(*cls);
  if (sum_.empty()) return classes_.empty() ? "the likeliest class" : "a class of each image";
  std::string text;
  for (const auto& [cls, weight] : sum_) {
    const double size = std::abs(weight);
    text += weight < 0 ? (text.empty() ? "−" : " − ") : (text.empty() ? "" : " + ");
    if (size != 1) {
      char number[32];
      std::snprintf(number, sizeof number, "%g·", size);
      text += number;
    }
    text += "class " + std::to_string(cls);
  }
  return text;
}

Target Target::rows(std::span<const int64_t> images) const {
  Target other = *this;
  if (!each_) return other;
  other.classes_.clear();
  for (const int64_t n : images) other.classes_.push_back(classes_.at(static_cast<size_t>(n)));
  return other;
}

Target Target::sum(std::vector<std::pair<int64_t, double>> weighted) {
  if (weighted.empty()) throw UsageError("a sum of scores names at least one class");
  Target target(top1);
  target.sum_ = std::move(weighted);
  return target;
}

Target Target::unit(int64_t c, std::optional<std::pair<int64_t, int64_t>> place) {
  Target target(top1);
  target.unit_ = Unit{c, place};
  return target;
}

Target Target::loss(int64_t cls) {
  return Scalar([cls](std::span<const double> result, std::span<double> gradient) {
    expect_class(cls, std::ssize(result));
    const double top = *std::ranges::max_element(result);
    double sum = 0;
    for (const double v : result) sum += std::exp(v - top);
    for (size_t i = 0; i < result.size(); ++i) gradient[i] = std::exp(result[i] - top) / sum;
    gradient[static_cast<size_t>(cls)] -= 1;
    return std::log(sum) + top - result[static_cast<size_t>(cls)];
  });
}

// One row's value and gradient, of what is no class.
double Target::row(const Shape& shape, std::span<const double> result, std::span<double> gradient) const {
  if (scalar_) return scalar_(result, gradient);
  double value = 0;
  if (unit_) {
    const UnitCells cells = cells_of(shape, unit_->channel, unit_->place);
    for (int64_t i = 0; i < cells.count; ++i) {
      const auto at = static_cast<size_t>(cells.first + i * cells.step);
      value += result[at];
      gradient[at] = 1;
    }
    return value;
  }
  for (const auto& [cls, weight] : sum_) {
    expect_class(cls, std::ssize(result));
    value += weight * result[static_cast<size_t>(cls)];
    gradient[static_cast<size_t>(cls)] += weight;
  }
  return value;
}

std::vector<double> Target::scores(const Tensor& result, int64_t first) const {
  const int64_t count = result.shape()[0], size = result.numel() / std::max<int64_t>(count, 1);
  std::vector<double> values;
  if (!is_class()) {
    const Tensor rows = result.to(Dtype::f64);
    std::vector<double> gradient(static_cast<size_t>(size));
    for (int64_t n = 0; n < count; ++n)
      values.push_back(row(result.shape(), rows.row(n).values<const double>(), gradient));
    return values;
  }
  const std::vector<int64_t> chosen = classes(result, first);
  for (int64_t n = 0; n < count; ++n)
    values.push_back(result.item(n * size + chosen[static_cast<size_t>(n)]));
  return values;
}

Tensor Target::seed(const Tensor& result, int64_t first) const {
  if (is_class()) return seed_channels(result.shape(), classes(result, first));
  const Tensor rows = result.to(Dtype::f64), seed = Tensor::zeros(Dtype::f64, result.shape());
  for (int64_t n = 0; n < result.shape()[0]; ++n)
    row(result.shape(), rows.row(n).values<const double>(), seed.row(n).values<double>());
  return seed;
}

}  // namespace loupe
