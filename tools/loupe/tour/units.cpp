// What the network's classes and channels are to it, whatever picture it is shown.
#include <cmath>
#include <cstdio>

#include "engine/image/image.h"
#include "tools/loupe/search/tiles.h"
#include "tools/loupe/tour/parts.h"

namespace loupe::tour {

namespace {

std::string one_decimal(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", std::round(10 * x) / 10 + 0.0);  // no -0.0
  return text;
}

std::string class_figure(const Tour& tour, const TourClass& c) {
  const std::string& label = tour.scores.labels[static_cast<size_t>(c.cls)];
  return "<figure>" + image(encode_png(c.picture), "What the network takes for " + a_or_an(label)) +
         "<figcaption>" + escaped(label) + "<br><span class=\"small soft\">" + one_decimal(c.before) + " → " +
         one_decimal(c.after) + "</span></figcaption></figure>";
}

// Patches above what the network run backwards makes of them, as one picture.
std::string unit_figure(const Tour& tour, const TourUnit& u) {
  std::vector<Image> tiles = u.patches;
  tiles.insert(tiles.end(), u.back.begin(), u.back.end());
  const std::string& label = tour.scores.labels[static_cast<size_t>(u.cls)];
  const Image strip = tiled(tiles, std::ssize(u.patches), kTile);
  return "<figure><img width=" + std::to_string(strip.width) + " height=" + std::to_string(strip.height) +
         " alt=\"The strongest patches of a channel, and their reconstructions\" src=\"" +
         data_url(encode_png(strip)) + "\"><figcaption>" + escaped(u.layer) + ", channel " +
         std::to_string(u.channel) + ": " + std::to_string(u.of_class) + " of " +
         std::to_string(u.patches.size()) + " are of " + a_or_an(label) + "</figcaption></figure>";
}

}  // namespace

std::string units(const Tour& tour) {
  std::string out =
      "<section><h2>What is a goose, to a network?</h2><p class=text>"
      "Nobody drew these pictures. Each began as faint noise and was changed, step by step, into what makes "
      "the score of one class larger (gradient ascent); below it, that score before and after. It is not an "
      "animal that the network looks for, but marks of one: spots, stripes, a beak.</p>"
      "<div class=\"strip wide\">";
  for (const TourClass& c : tour.classes) out += class_figure(tour, c);
  out +=
      "</div><h3 class=next>And within, its channels</h3><p class=text>"
      "A channel answers where it finds what it learned to look for. Of each of the last layers two "
      "channels, those whose patches agree most on a class: what excited them most among " +
      several(tour.searched, "drawing", "drawings") +
      ", and below each patch what of it reached the channel (the network run backwards, deconvnet).</p>"
      "<div class=units>";
  for (const TourUnit& u : tour.units) out += unit_figure(tour, u);
  return out + "</div></section>\n";
}

}  // namespace loupe::tour
