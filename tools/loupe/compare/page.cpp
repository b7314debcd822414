// The page of `loupe compare`: a row a method, a column a network or a class; of one column, cards beside each other. It
// needs nothing but itself.
#include <cstdio>
#include <filesystem>

#include "tools/loupe/compare/compare.h"
#include "tools/loupe/explain/page_parts.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", std::abs(v));
  return (v < 0 ? "−" : "") + std::string(text);
}

std::string photo_class(size_t side) { return "photo" + std::to_string(side); }

std::string heading(const Side& side, size_t s) {
  std::string out =
      "<div class=side><i class=" + photo_class(s) + " role=img aria-label=\"The input\"></i><div><h2>" +
      escaped(side.answer.words) + "</h2><p class=soft>" + escaped(side.network) + " · " +
      (side.answer.verdict ? "class " + std::to_string(side.answer.verdict->index) + " · " : "") +
      worth(side.answer) + "</p><p class=\"small soft\">its likeliest: ";
  for (size_t i = 0; i < side.top.size(); ++i)
    out += (i ? ", " : "") + escaped(side.top[i].label) + " " + percent(side.top[i].probability);
  return out + "</p></div></div>";
}

std::string cell(const Side& side, size_t s, const Method& method, size_t map) {
  const MethodResult* r = result_of(side, method);
  if (r && map < r->maps.size()) {
    std::string out = map_figure(r->maps[map], "", photo_class(s), side.input);
    for (const Check& c : r->checks)
      if (map == 0) out += "<p class=source>" + title(c.name) + " " + short_number(c.value) + "</p>";
    return "<div>" + out + "</div>";
  }
  std::string why = r ? "It has no such map here." : "Left out.";
  for (const Skipped& k : side.skipped)
    if (k.method == method.name) why = k.why;
  return "<div class=none><p class=\"small soft\">" + escaped(why) + "</p></div>";
}

size_t maps_of(const Comparison& all, const Method& method) {
  size_t count = 0;
  for (const Side& side : all.sides)
    if (const MethodResult* r = result_of(side, method)) count = std::max(count, r->maps.size());
  return count;
}

std::string name_of(const Comparison& all, const Method& method, size_t map) {
  for (const Side& side : all.sides)
    if (const MethodResult* r = result_of(side, method); r && map < r->maps.size() && r->maps.size() > 1)
      return title(r->maps[map].name);
  return title(method.name);
}

std::string row(const Comparison& all, const Method& method, size_t map) {
  std::string out = "<article data-method=\"" + std::string(method.name) + "\"><div class=head><h3>" +
                    name_of(all, method, map) + "</h3>";
  if (const auto rho = agreement(all, method, map)) {
    char text[16];
    std::snprintf(text, sizeof text, "%.2f", std::abs(*rho));
    out += "<span class=small title=\"Spearman's rank correlation of the two maps, over pixels\">ρ " +
           std::string(*rho < 0 ? "−" : "") + text + "</span>";
  }
  out += "</div><div class=columns>";
  for (size_t s = 0; s < all.sides.size(); ++s) out += cell(all.sides[s], s, method, map);
  return out + "</div></article>\n";
}

std::string grid(const Tensor& t, const std::string& caption, const Tensor* dimmed = nullptr) {
  std::string out = "<table><caption>" + caption + "</caption>";
  for (int64_t y = 0; y < 4; ++y) {
    out += "<tr>";
    for (int64_t x = 0; x < 4; ++x) {
      const double v = t.item(4 * y + x);
      const bool stopped = dimmed && v == 0 && dimmed->item(4 * y + x) != 0;
      out += std::string("<td class=") +
             (stopped ? "stopped"
              : v < 0 ? "minus"
              : v > 0 ? "plus"
                      : "zero") +
             ">" + number(v) + "</td>";
    }
    out += "</tr>";
  }
  return out + "</table>";
}

// The lecture's table: one ReLU, the way up, and three ways down.
std::string rules(const RuleTable& t) {
  return "<section class=rules><div><h2>What tells the ways back apart</h2><p>The gradient, the deconvnet "
         "and guided "
         "backpropagation differ at the ReLUs alone. Here is one, computed by the rules that made the maps "
         "above: the activation x, 16 numbers, on the way up, and the same signal R on the way down. What a "
         "rule "
         "stops is a pale 0.</p><div class=tables>" +
         grid(t.before, "x, before the ReLU") + grid(t.after, "forward: max(x, 0)", &t.before) +
         grid(t.signal, "R, the signal from above") +
         grid(t.gradient, "backward (gradient): R where x &gt; 0", &t.signal) +
         grid(t.deconvnet, "deconvnet: R where R &gt; 0", &t.signal) +
         grid(t.guided, "guided: R where x &gt; 0 and R &gt; 0", &t.signal) + "</div></div></section>\n";
}

std::string title_of(const Comparison& all) {
  const auto& sides = all.sides;
  if (sides.size() == 1) return "Every method on " + escaped(sides[0].answer.words);
  if (sides[0].network != sides.back().network || sides[0].weights != sides.back().weights)
    return escaped(sides[0].network) + " and " + escaped(sides.back().network);
  std::string out;
  for (size_t s = 0; s < sides.size(); ++s)
    out += (s == 0 ? "" : s + 1 == sides.size() ? " and " : ", ") + escaped(sides[s].answer.words);
  return out;
}

}  // namespace

std::string comparison_page(const Comparison& all) {
  std::string out =
      "<!doctype html>\n<!-- loupe compare -->\n<html lang=en><head><meta charset=utf-8><meta "
      "name=viewport content=\"width=device-width\"><title>" +
      title_of(all) + " · Loupe</title><style>" + style_sheet("report.css") +
      std::string(embedded("compare.css"));
  for (size_t s = 0; s < all.sides.size(); ++s)
    out += "." + photo_class(s) + "{background-image:url(" + data_url(all.sides[s].photo) + ")}\n";
  out += "</style></head><body class=\"compare sides" +
         std::to_string(std::min<size_t>(all.sides.size(), 4)) + "\"><header>" + std::string(kMark) +
         "<div><h1>" + title_of(all) + "</h1><p class=soft>" +
         escaped(std::filesystem::path(all.image).filename().string()) +
         " · point at a map, or step over it with the arrow keys, to read its numbers" +
         (all.sides.size() == 2 ? " · ρ: how alike two maps order the pixels, from −1 to 1" : "") +
         "</p></div></header>\n<section id=image0><div class=columns>";
  for (size_t s = 0; s < all.sides.size(); ++s) out += heading(all.sides[s], s);
  out +=
      "</div><form class=controls hidden><label class=opacity>photograph<input type=range min=0 max=100 "
      "value=100 "
      "aria-label=\"How much of the map covers the photograph\">map</label></form><div class=rows>\n";
  for (const Method* method : all.methods)
    for (size_t map = 0; map < std::max<size_t>(maps_of(all, *method), 1); ++map)
      out += row(all, *method, map);
  out += "</div></section>\n" + rules(all.rules) + "<footer class=\"small soft\">";
  for (const Skipped& s : all.left_out)
    out += "<p>" + title(s.method) + " was left out: " + escaped(s.why) + "</p>";
  return out + "<p>Made by Loupe " LOUPE_VERSION ".</p></footer><script>" +
         std::string(embedded("report.js")) + "</script></body></html>\n";
}

}  // namespace loupe
