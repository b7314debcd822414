// An answer about one image: the question settled, and what a method finds, drawn.
#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/image/overlay.h"
#include "engine/image/plane.h"
#include "tools/loupe/explain/run.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

// The nearest 16-bit float (IEEE 754 binary16), ties to even.
uint16_t half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const float size = std::fabs(value);
  if (std::isnan(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size < 0x1p-14f) return sign | static_cast<uint16_t>(std::lrint(size * 0x1p24f));
  const auto rest = std::bit_cast<uint32_t>(size) - (uint32_t{112} << 23);
  return sign | static_cast<uint16_t>((rest + 0xfff + (rest >> 13 & 1)) >> 13);
}

}  // namespace

CellNumbers cell_numbers(const Map& map) {
  const Plane plane = reduce_channels(map.values, map.picture.style == Picture::Style::magnitude);
  CellNumbers cells{.height = plane.height, .width = plane.width, .grid = map.picture.grid};
  for (const double v : plane.values)
    if (std::isfinite(v)) cells.scale = std::max(cells.scale, std::abs(v));
  if (cells.scale == 0) cells.scale = 1;
  cells.scale /= 32768;  // far from the ends of what 16 bits hold
  for (const double v : plane.values) cells.halves.push_back(half(static_cast<float>(v / cells.scale)));
  return cells;
}

std::pair<Target, Answer> settle(const Asked& asked, ImageModel& network, const Tensor& x,
                                 const std::vector<Verdict>& ranking) {
  Answer answer;
  answer.asked = asked.text;
  answer.minus = asked.minus;
  answer.layer = asked.layer;
  if (!asked.layer.empty()) answer.unit = asked.text;
  Target target = asked.target;
  if (asked.cls || target.is_class()) {
    answer.verdict = *std::ranges::find(ranking, asked.cls.value_or(ranking[0].index), &Verdict::index);
    target = Target(answer.verdict->index).called(answer.verdict->label);
    answer.score = answer.verdict->score;
  } else {
    const auto rows = [&](int64_t, int64_t) { return x; };
    answer.score = forward_scores(network, x.shape(), 1, rows, target).scores[0];
  }
  answer.words = target.words();
  return {target, answer};
}

MethodResult drawn_by(const ChosenMethod& chosen, const Question& question, Explanation& found) {
  MethodResult result{.method = chosen.method,
                      .options = chosen.options.all(),
                      .checks = std::move(found.checks),
                      .notes = std::move(found.notes)};
  for (const Map& map : found.maps) {
    const std::string name = found.maps.size() == 1 ? std::string(chosen.method->name) : map.name;
    DrawnMap drawn{
        .name = map.name,
        .caption = map.caption,
        .file = file_name(name) + ".png",
        .shape = map.values.shape(),
        .minimum = INFINITY,
        .maximum = -INFINITY,
        .style = map.picture.style,
        .png = encode_png(overlay(question.input, map.values, map.picture, question.model.preprocessing)),
        .numbers = cell_numbers(map)};
    for (int64_t i = 0; i < map.values.numel(); ++i) {
      drawn.minimum = std::min(drawn.minimum, map.values.item(i));
      drawn.maximum = std::max(drawn.maximum, map.values.item(i));
    }
    result.maps.push_back(std::move(drawn));
  }
  return result;
}

std::string worth(const Answer& a) {
  if (a.verdict) return "score " + short_number(a.score) + ", probability " + percent(a.verdict->probability);
  return (a.minus ? "a difference of " : "value ") + short_number(a.score);
}

}  // namespace loupe
