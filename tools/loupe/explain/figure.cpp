// A map on a page: the picture over its photograph, the numbers behind it, its scale of colours.
#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "engine/image/colour.h"
#include "engine/image/image.h"
#include "tools/loupe/explain/page_parts.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

// The colours that overlay() gives from `from` to 1.
template <typename Colour>
std::string gradient(const Colour& colour, float from) {
  std::string css = "linear-gradient(90deg";
  constexpr int kStops = 9;
  for (int i = 0; i < kStops; ++i) {
    const Rgb c = to_rgb(colour(from + (1 - from) * static_cast<float>(i) / (kStops - 1)));
    char stop[24];
    std::snprintf(stop, sizeof stop, ",#%02x%02x%02x", c[0], c[1], c[2]);
    css += stop;
  }
  return css + ")";
}

std::string scale(const DrawnMap& map) {
  std::array<std::string, 2> ends;
  std::string colours;
  using enum Picture::Style;
  switch (map.style) {
    case reconstruction:
      return "<div class=scale></div>";
    case magnitude:
      ends = {"matters less", "more"};
      break;
    case evidence:
      ends = {"no evidence", "most"};
      break;
    case level:
      ends = {short_number(map.minimum), short_number(map.maximum)};
      break;
    case contribution:
      ends = {"against", "for"};
      break;
  }
  if (map.style == contribution)
    colours = gradient(signed_colour, -1);
  else if (map.style == level)
    colours = gradient(level_colour, 0);
  else
    colours = gradient(heat_colour, 0.25f);  // what overlay() draws over the photograph
  return "<div class=scale>" + ends[0] + "<i style=\"background:" + colours + "\"></i>" + ends[1] + "</div>";
}

// What report.js reads: the cells, where they lie on the input, and their numbers.
std::string numbers(const DrawnMap& map, const Shape& input) {
  const CellNumbers& c = map.numbers;
  if (c.halves.empty()) return "";
  const double down = static_cast<double>(input[2]) / static_cast<double>(c.height),
               across = static_cast<double>(input[3]) / static_cast<double>(c.width);
  const Grid grid = c.grid.value_or(Grid{(down - 1) / 2, (across - 1) / 2, down, across});
  std::vector<uint8_t> bytes(c.halves.size() * 2);
  std::memcpy(bytes.data(), c.halves.data(), bytes.size());
  char attributes[400];
  std::snprintf(attributes, sizeof attributes,
                " data-cells=\"%lld,%lld\" data-grid=\"%.9g,%.9g,%.9g,%.9g\" data-input=\"%lld,%lld\" "
                "data-scale=\"%.9g\" data-numbers=\"",
                static_cast<long long>(c.height), static_cast<long long>(c.width), grid.offset_h,
                grid.offset_w, grid.stride_h, grid.stride_w, static_cast<long long>(input[2]),
                static_cast<long long>(input[3]), c.scale);
  const bool channels = map.shape.rank() == 3 && map.shape[0] > 1;
  return attributes + base64(bytes) + "\" data-of=\"" +
         (!channels                                ? ""
          : map.style == Picture::Style::magnitude ? "the largest of the channels"
                                                   : "the channels' sum") +
         "\"";
}

}  // namespace

std::string map_figure(const DrawnMap& map, const std::string& heading, const std::string& photo,
                       const Shape& input) {
  const std::string name = title(map.name);
  return "<figure><div class=\"map " + photo + "\" tabindex=0 role=application aria-label=\"" + name +
         ", arrow keys read its numbers\"" + numbers(map, input) + "><img alt=\"" + name + "\" src=\"" +
         data_url(map.png) + "\"><b hidden></b></div>" + scale(map) +
         "<output class=reading aria-live=polite></output><figcaption>" +
         (heading.empty() ? "" : "<h4>" + heading + "</h4>") + "<p class=small>" + escaped(map.caption) +
         "</p></figcaption></figure>";
}

}  // namespace loupe
