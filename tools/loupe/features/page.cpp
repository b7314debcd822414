// The page of `loupe features`: layers to choose from, a card each filter. The sprites of a layer are one text, which is
// taken apart when the layer is chosen; a card has its picture only while it is near the window.
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "tools/loupe/features/features.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/search/tiles.h"
#include "tools/loupe/text.h"

namespace loupe {

namespace {

using json = nlohmann::ordered_json;

// Names of pictures once, and of each filter a list of [picture, score, y, x].
json data_of(const Search& s, const Features& features, const std::string& strips) {
  json all = json::object(), names = json::array(), layers = json::array();
  std::map<std::string, size_t> known;
  for (size_t l = 0; l < features.layers.size(); ++l) {
    const LayerHits& hits = s.index.layers[l];
    json filters = json::array();
    for (const std::vector<Hit>& list : hits.channels) {
      json filter = json::array();
      for (const Hit& h : list) {
        const auto [found, fresh] = known.try_emplace(h.image, known.size());
        if (fresh) names.push_back(valid_utf8(h.image));
        filter.push_back({found->second, std::round(h.score * 1e4) / 1e4, h.y, h.x});
      }
      filters.push_back(std::move(filter));
    }
    layers.push_back({{"name", hits.layer},
                      {"strips", strips + "/" + address(file_name(hits.layer))},
                      {"filters", std::move(filters)}});
  }
  all["rows"] = json::array({"patch"});
  for (const Way& w : features.ways) all["rows"].push_back(title(w.name));
  all["top"] = s.index.top;
  all["tile"] = kTile;
  all["gap"] = kGap;
  all["images"] = std::move(names);
  all["layers"] = std::move(layers);
  return all;
}

std::string legend(const Features& features) {
  std::string text = "<b>the patch</b>, cropped to what the unit sees";
  for (const Way& w : features.ways) text += "; <b>" + title(w.name) + "</b>";
  return text;
}

}  // namespace

std::string features_page(const Search& s, const Features& features, const std::string& strips) {
  int64_t filters = 0;
  std::string choices, sprites;
  for (size_t l = 0; l < features.layers.size(); ++l) {
    const FilterLayer& layer = features.layers[l];
    filters += std::ssize(layer.sprites);
    choices += "<option value=" + std::to_string(l) + ">" + escaped(layer.name) + " · " +
               with_commas(std::ssize(layer.sprites)) + "</option>";
    sprites += "<script type=text/plain id=sprites" + std::to_string(l) + ">";
    for (size_t c = 0; c < layer.sprites.size(); ++c) sprites += (c ? "\n" : "") + layer.sprites[c];
    sprites += "</script>\n";
  }
  return "<!doctype html>\n<!-- loupe features -->\n<html lang=en><head><meta charset=utf-8><meta "
         "name=viewport "
         "content=\"width=device-width\"><title>Features of " +
         escaped(s.network.name()) + " · Loupe</title><style>" + style_sheet("features.css") +
         "</style></head><body><header>" + std::string(kMark) + "<div><h1>What the filters of " +
         escaped(s.network.name()) + " see</h1><p class=soft>" + with_commas(filters) +
         " filters, and of each the " + std::to_string(s.index.top) + " strongest of " +
         with_commas(s.index.pictures) + " pictures. From above: " + legend(features) +
         ": the one activation alone, run back to the pixels by that picture's own "
         "switches.</p></div></header>\n"
         "<form class=controls><label>Layer <select id=layer>" +
         choices +
         "</select></label><label>Filter <input id=filter type=number min=0 "
         "placeholder=number></label><label>Order "
         "<select id=order><option value=number>by number</option><option value=score>strongest "
         "first</option></select></label><span id=count class=\"small soft\" role=status></span></form>\n"
         "<main id=grid></main>\n<dialog id=large><form method=dialog><button "
         "aria-label=Close>×</button></form><h2></h2><img alt=\"\"><ol class=\"small\"></ol></dialog>\n"
         "<noscript><p>The page needs JavaScript; the strips are in the folder " +
         escaped(strips) +
         ".</p></noscript><footer class=\"small soft\"><p>Zeiler &amp; Fergus 2014, “Visualizing and "
         "understanding "
         "convolutional networks”, figure 2. Made by Loupe " LOUPE_VERSION
         ".</p></footer>\n<script type=application/json "
         "id=data>" +
         script_json(data_of(s, features, strips)) + "</script>\n" + sprites + "<script>" +
         std::string(embedded("features.js")) + "</script></body></html>\n";
}

}  // namespace loupe
