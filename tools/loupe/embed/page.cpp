// embedding.html: the map on a canvas. Points, groups and neighbours go in as numbers in base64, pictures as one JPEG.
#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/loupe/embed/embed.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/search/tiles.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using json = nlohmann::ordered_json;

// Whole numbers of so many bytes each, the lowest byte first.
class Numbers {
 public:
  explicit Numbers(int bytes) : bytes_(bytes) {}
  void add(uint32_t value) {
    for (int i = 0; i < bytes_; ++i) all_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  std::string text() const { return base64(all_); }

 private:
  int bytes_;
  std::vector<uint8_t> all_ = {};
};

int bytes_for(int64_t values) { return values <= 1 << 8 ? 1 : values <= 1 << 16 ? 2 : 4; }

uint32_t sixteen_bits(double value, double low, double range) {
  return range > 0 ? static_cast<uint32_t>(std::lround(std::clamp((value - low) / range, 0.0, 1.0) * 65535))
                   : 0;
}

// Places of 16 bits, of one scale along both axes; y goes up.
json places(const Tensor& map) {
  const auto y = map.values<const float>();
  double low[2], high[2];
  for (size_t c = 0; c < 2; ++c) {
    low[c] = high[c] = static_cast<double>(y[c]);
    for (size_t i = c; i < y.size(); i += 2) {
      low[c] = std::min(low[c], static_cast<double>(y[i]));
      high[c] = std::max(high[c], static_cast<double>(y[i]));
    }
  }
  const double range = std::max(high[0] - low[0], high[1] - low[1]);
  Numbers all(2);
  for (size_t i = 0; i < y.size(); ++i) all.add(sixteen_bits(static_cast<double>(y[i]), low[i % 2], range));
  return all.text();
}

json grouping_of(const std::string& title, const Grouping& g) {
  Numbers of(bytes_for(std::ssize(g.names)));
  for (const int32_t group : g.of) of.add(static_cast<uint32_t>(group));
  json names = json::array();
  for (const std::string& name : g.names) names.push_back(valid_utf8(name));
  return {{"title", title},
          {"names", std::move(names)},
          {"bytes", bytes_for(std::ssize(g.names))},
          {"of", of.text()}};
}

json neighbours_of(const Embedding& e) {
  const bool cosine = e.how.metric == Metric::cosine;
  const auto [least, most] = std::ranges::minmax(e.near.distance);
  const int bytes = bytes_for(e.points.count());
  Numbers index(bytes), distance(2);
  for (const int32_t j : e.near.index) index.add(static_cast<uint32_t>(j));
  for (const double d : e.near.distance) distance.add(sixteen_bits(d, least, most - least));
  return {{"k", e.near.k},
          {"measure", cosine ? "cosine" : "distance"},
          {"bytes", bytes},
          {"of", index.text()},
          {"least", least},
          {"range", most - least},
          {"distance", distance.text()}};
}

json data_of(const Embedding& e) {
  constexpr size_t kLongest = 160;
  json all{{"count", e.points.count()},
           {"places", places(e.map)},
           {"words", json::array()},
           {"groupings", json::array()},
           {"near", neighbours_of(e)}};
  for (const std::string& word : e.points.words) {
    std::string text = valid_utf8(word);
    if (text.size() > kLongest) {
      size_t end = kLongest;
      while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // a character is not cut in two
      text = text.substr(0, end) + "…";
    }
    all["words"].push_back(std::move(text));
  }
  if (!e.labels.names.empty()) all["groupings"].push_back(grouping_of("label", e.labels));
  if (!e.clusters.names.empty()) all["groupings"].push_back(grouping_of("cluster", e.clusters));
  if (!e.points.pictures.empty())
    all["pictures"] = {
        {"side", e.points.pictures[0].width},
        {"gap", kGap},
        {"columns", std::llround(std::ceil(std::sqrt(static_cast<double>(e.points.count()))))}};
  return all;
}

std::string sprite(const Embedding& e) {
  if (e.points.pictures.empty()) return {};
  const int64_t columns = std::llround(std::ceil(std::sqrt(static_cast<double>(e.points.count()))));
  return base64(encode_jpeg(tiled(e.points.pictures, columns, e.points.pictures[0].width), 82));
}

std::string facts(const Embedding& e) {
  const std::string k = std::to_string(e.how.neighbours);
  std::string text = e.how.by_tsne ? "Exact t-SNE, perplexity " + short_number(e.how.tsne.perplexity) + ", " +
                                         with_commas(e.how.tsne.steps) + " steps"
                                   : "The first two principal components, " + percent(e.explained[0]) +
                                         " and " + percent(e.explained[1]) + " of the variance";
  text += ". Of a point's " + k + " nearest by " + (e.how.metric == Metric::cosine ? "cosine" : "distance") +
          ", " + short_number(std::round(e.recall * static_cast<double>(e.how.neighbours) * 10) / 10) +
          " are among its " + k + " nearest on the map, in the mean; trustworthiness " +
          short_number(std::round(e.trust * 1000) / 1000) + ".";
  if (e.purity)
    text += " " + percent(e.purity->share) + " of the " + k + " nearest have the same label; by chance " +
            percent(e.purity->chance) + ".";
  return escaped(text);
}

}  // namespace

std::string embedding_page(const Embedding& e) {
  return "<!doctype html>\n<!-- loupe embed -->\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
         "content=\"width=device-width\"><title>" +
         escaped(e.points.what) + " · Loupe</title><style>" + style_sheet("embed.css") +
         "</style></head><body><header>" + std::string(kMark) + "<div><h1>" + with_commas(e.points.count()) +
         " points of " + with_commas(e.points.vectors.shape()[1]) +
         " numbers on a map</h1><p class=soft><b>" + escaped(e.points.what) + "</b>. " + facts(e) +
         "</p></div></header>\n"
         "<form class=controls><label>Search <input id=search type=search placeholder=\"word or label\" "
         "autocomplete=off></label><label>Colour <select id=colour></select></label>"
         "<label><input id=words type=checkbox checked> words</label>"
         "<label><input id=pictures type=checkbox checked> pictures</label>"
         "<span class=zoom><button type=button id=out aria-label=\"Zoom out\">−</button><button type=button "
         "id=in "
         "aria-label=\"Zoom in\">+</button><button type=button id=whole>Whole map</button></span>"
         "<span id=status class=\"small soft\" role=status></span></form>\n"
         "<main><div id=frame><canvas id=map tabindex=0 role=img aria-label=\"Map of the points. Arrow keys "
         "move it, plus and "
         "minus zoom, 0 shows all of it.\"></canvas><div id=tip hidden></div></div><aside><section id=chosen "
         "aria-live=polite></section><section id=found></section><section "
         "id=legend></section></aside></main>\n"
         "<noscript><p>The page needs JavaScript; the numbers are in map.npy.</p></noscript><footer "
         "class=\"small soft\">"
         "<p>" +
         std::string(e.how.by_tsne
                         ? "van der Maaten &amp; Hinton 2008, “Visualizing data using t-SNE”. Distances "
                           "between groups on such a map say little. "
                         : "") +
         "Neighbours are exact, of the vectors and not of the map. Made by Loupe " LOUPE_VERSION
         ".</p><p id=timing></p></footer>\n<script type=application/json id=data>" +
         script_json(data_of(e)) + "</script>\n<script type=text/plain id=sprite>" + sprite(e) +
         "</script>\n<script>" + std::string(embedded("embed_map.js")) + std::string(embedded("embed.js")) +
         "</script></body></html>\n";
}

}  // namespace loupe
