#include "engine/neurons/unit.h"

#include <string>
#include <utility>

#include "kernels/common/error.h"

namespace loupe {

namespace {
// Channels of maps, tokens or rows: how many, and how their numbers lie.
struct Channels {
  explicit Channels(const Shape& s) {
    if (s.rank() == 4)
      count = s[1], places = s[2] * s[3], step = 1, stride = places;
    else if (s.rank() == 3)
      count = s[2], places = s[1], step = count, stride = 1;
    else if (s.rank() == 2)
      count = s[1];
    else
      throw UsageError("its value " + s.str() + " has no channels");
  }
  size_t at(int64_t c, int64_t place) const { return static_cast<size_t>(c * stride + place * step); }
  int64_t count = 0, places = 1, step = 1, stride = 1;  // of a place, of a channel
};

double energy(std::span<const double> value, std::span<double> gradient, double numbers) {
  double sum = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    sum += value[i] * value[i];
    gradient[i] = value[i] / numbers;
  }
  return sum / 2 / numbers;
}
}  // namespace

Target layer_unit(NodeId node, const Shape& shape) {
  const auto numbers = static_cast<double>(shape.numel() / shape[0]);
  return Target([=](std::span<const double> value, std::span<double> gradient) {
           return energy(value, gradient, numbers);
         })
      .called("the whole layer")
      .of(node);
}

Target head_unit(NodeId node, const Shape& shape, int64_t head, int64_t heads) {
  if (head < 0 || head >= heads)
    throw UsageError("there is no head " + std::to_string(head) + ", it has " + std::to_string(heads) +
                     ", counted from 0");
  const int64_t tokens = shape[1], width = shape[2] / heads, all = shape[2];
  return Target([=](std::span<const double> value, std::span<double> gradient) {
           double sum = 0;
           for (int64_t t = 0; t < tokens; ++t) {
             const auto at = static_cast<size_t>(t * all + head * width), n = static_cast<size_t>(width);
             sum +=
                 energy(value.subspan(at, n), gradient.subspan(at, n), static_cast<double>(tokens * width));
           }
           return sum;
         })
      .called("head " + std::to_string(head))
      .of(node);
}

Target token_unit(NodeId node, const Shape& shape, int64_t c, int64_t t) {
  if (shape.rank() != 3) throw UsageError("its value has no tokens: a unit is C, or C,y,x at a place");
  if (c < 0 || c >= shape[2] || t < 0 || t >= shape[1])
    throw UsageError("there is no unit " + std::to_string(c) + " of token " + std::to_string(t) +
                     ", it has " + std::to_string(shape[1]) + " tokens of " + std::to_string(shape[2]) +
                     " numbers, counted from 0");
  const auto at = static_cast<size_t>(t * shape[2] + c);
  return Target([=](std::span<const double> value, std::span<double> gradient) {
           gradient[at] = 1;
           return value[at];
         })
      .called("unit " + std::to_string(c) + " of token " + std::to_string(t))
      .of(node);
}

Target direction_unit(NodeId node, const Shape& shape, std::vector<double> direction) {
  const Channels channels(shape);
  if (std::ssize(direction) != channels.count)
    throw UsageError("a direction of " + std::to_string(direction.size()) + " numbers in a layer of " +
                     std::to_string(channels.count) + " channels");
  return Target([=, direction = std::move(direction)](std::span<const double> value,
                                                      std::span<double> gradient) {
           const double part = 1.0 / static_cast<double>(channels.places);
           double sum = 0;
           for (int64_t c = 0; c < channels.count; ++c)
             for (int64_t p = 0; p < channels.places; ++p) {
               const size_t at = channels.at(c, p);
               gradient[at] = direction[static_cast<size_t>(c)] * part;
               sum += gradient[at] * value[at];
             }
           return sum;
         })
      .called("a direction")
      .of(node);
}

}  // namespace loupe
