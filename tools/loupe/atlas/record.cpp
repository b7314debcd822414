// atlas.json and atlas.html.
#include <algorithm>

#include "engine/file/file.h"
#include "tools/loupe/atlas/atlas.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/search/tiles.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using json = nlohmann::ordered_json;

json class_of(const AtlasClasses& classes, const ChannelStatistics& s) {
  if (!s.cls) return {};
  return {{"index", s.cls->first},
          {"name", valid_utf8(classes.names[static_cast<size_t>(s.cls->first)])},
          {"correlation", s.cls->second}};
}

json ascent_of(const json& record, const std::string& layer, size_t channel) {
  if (record.is_null()) return {};
  const json& unit = record.at("units").at(channel);
  return {{"file", std::string(kAscents) + "/" + file_name(layer) + "/" + unit.at("file").get<std::string>()},
          {"before", unit.at("before")},
          {"after", unit.at("after")},
          {"dead", unit.at("dead")}};
}

json layer_of(const Atlas& a, size_t l) {
  const LayerHits& hits = a.search.index.layers[l];
  json units = json::array();
  for (size_t c = 0; c < hits.channels.size(); ++c) {
    const ChannelStatistics& s = a.statistics[l][c];
    json top = json::array();
    for (const Hit& h : hits.channels[c])
      top.push_back(
          {{"image", valid_utf8(h.image)}, {"score", h.score}, {"y", h.y}, {"x", h.x}, {"crop", h.crop}});
    const bool strip = a.strips[l] && !hits.channels[c].empty();
    units.push_back(
        {{"unit", c},
         {"mean", s.mean},
         {"deviation", s.deviation},
         {"sparsity", s.inactive},
         {"class", class_of(a.classes, s)},
         {"ascent", ascent_of(a.ascents[l], hits.layer, c)},
         {"strip",
          strip ? json(std::string(kStrips) + "/" + file_name(hits.layer) + "/" + strip_name(c)) : json()},
         {"top", std::move(top)}});
  }
  return {{"layer", valid_utf8(hits.layer)}, {"units", std::move(units)}};
}

// Whether a unit of some layer has it.
bool is_there(const json& record, const char* part) {
  return std::ranges::any_of(record.at("layers"), [&](const json& layer) {
    return std::ranges::any_of(layer.at("units"), [&](const json& unit) { return !unit.at(part).is_null(); });
  });
}

std::string lead(const json& record, int64_t units) {
  std::string text = with_commas(units) + " units, and what excites them most in " +
                     with_commas(record.at("pictures").get<int64_t>()) + " pictures.";
  if (is_there(record, "ascent"))
    text += " Left the picture that makes a unit strong, made by gradient ascent.";
  if (!is_there(record, "strip")) return text;
  std::string rows;
  for (const json& row : record.at("strips").at("rows")) {
    std::string name = row.get<std::string>();
    std::ranges::replace(name, '_', ' ');
    rows += (rows.empty() ? "" : ", ") + escaped(name);
  }
  return text +
         " Below the patches, and what the network run backwards makes of each; rows from above: " + rows +
         ".";
}

}  // namespace

std::filesystem::path ascent_folder(const Atlas& a, size_t layer) {
  return a.search.out / kAscents / file_name(a.search.index.layers[layer].layer);
}

json atlas_record(const Atlas& a) {
  const HitIndex& index = a.search.index;
  json all{{"loupe", LOUPE_VERSION}};
  for (const auto& [name, value] : index.settings) all[name] = valid_utf8(value);
  all["pictures"] = index.pictures;
  all["skipped"] = std::ssize(index.skipped);
  all["top"] = index.top;
  all["classes"] = {{"of", a.classes.of}, {"names", json::array()}};
  for (const std::string& name : a.classes.names) all["classes"]["names"].push_back(valid_utf8(name));
  all["strips"] = {{"tile", kTile}, {"gap", kGap}, {"rows", {"patch"}}};
  for (const Way& w : a.ways) all["strips"]["rows"].push_back(w.name);
  all["ascent"] = {{"steps", a.ascent.steps}, {"settings", a.ascent.settings}};
  all["layers"] = json::array();
  for (size_t l = 0; l < index.layers.size(); ++l) all["layers"].push_back(layer_of(a, l));
  return all;
}

std::string atlas_page(const json& record) {
  int64_t units = 0;
  std::string layers;
  for (size_t l = 0; l < record.at("layers").size(); ++l) {
    const json& layer = record.at("layers")[l];
    units += std::ssize(layer.at("units"));
    layers += "<option value=" + std::to_string(l) + ">" + escaped(layer.at("layer").get<std::string>()) +
              " · " + with_commas(std::ssize(layer.at("units"))) + "</option>";
  }
  const std::string model = escaped(record.at("model").get<std::string>());
  return "<!doctype html>\n<!-- loupe atlas -->\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
         "content=\"width=device-width\"><title>Atlas of " +
         model + " · Loupe</title><style>" + style_sheet("atlas.css") + "</style></head><body><header>" +
         std::string(kMark) + "<div><h1>Atlas of " + model + "</h1><p class=soft>" + lead(record, units) +
         "</p><p class=soft id=classes></p></div></header>\n"
         "<form class=controls><label>Layer <select id=layer>" +
         layers +
         "</select></label><label>Unit <input id=unit type=number min=0 "
         "placeholder=number></label><label>Order "
         "<select id=order><option value=number>by number</option><option value=top>strongest patch "
         "first</option>"
         "<option value=correlation>most like a class first</option><option value=sparsity>rarest "
         "first</option>"
         "</select></label><label>Class <select id=class><option value=\"\">any</option></select></label>"
         "<span id=count class=\"small soft\" role=status></span></form>\n<main id=grid></main>\n"
         "<dialog id=large><form method=dialog><button aria-label=Close>×</button></form><h2></h2><div "
         "class=view></div></dialog>\n<noscript><p>The page needs JavaScript; atlas.json beside it says it "
         "all.</p></noscript><footer class=\"small soft\"><p>Made by Loupe " LOUPE_VERSION
         ".</p></footer>\n<script type=application/json id=data>" +
         script_json(record) + "</script>\n<script>" + std::string(embedded("atlas.js")) +
         "</script></body></html>\n";
}

void write_atlas(const Atlas& a) {
  const json record = atlas_record(a);
  const auto write = [&](const char* name, const std::string& text) {
    write_file(a.search.out / name, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  };
  write(kAtlasRecord, record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  write(kAtlasPage, atlas_page(record));
}

}  // namespace loupe
