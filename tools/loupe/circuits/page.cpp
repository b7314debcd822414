// circuits.html: the circuit drawn over the tokens …A B … A, the scores of all heads, and what silencing does.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tools/loupe/circuits/report.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

std::string digits(double x, int count = 3) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", count, x);
  return text;
}
std::string number(double x) { return digits(x, 1); }

std::string text_at(double x, double y, const std::string& text, const char* of = "") {
  return "<text text-anchor=middle x=" + number(x) + " y=" + number(y) +
         (*of ? " class=" + std::string(of) : "") + ">" + escaped(text) + "</text>";
}
std::string box(double x, double y, double width, double height, const char* of) {
  return "<rect class=" + std::string(of) + " rx=7 x=" + number(x - width / 2) +
         " y=" + number(y - height / 2) + " width=" + number(width) + " height=" + number(height) + " />";
}
std::string curve(double x0, double y0, double x1, double y1, const char* of, double width = 0) {
  const double middle = (y0 + y1) / 2;
  return "<path class=" + std::string(of) + (width > 0 ? " stroke-width=" + number(width) : "") + " d=\"M" +
         number(x0) + " " + number(y0) + "C" + number(x0) + " " + number(middle) + " " + number(x1) + " " +
         number(middle) + " " + number(x1) + " " + number(y1) + "\"/>";
}

std::string heat_map(const CircuitReport& r, const char* name, const char* meaning,
                     const HeadStatistics::Scores& scores) {
  constexpr double kCell = 14;
  const double width = kCell * static_cast<double>(r.heads) + 26,
               height = kCell * static_cast<double>(r.layers) + 4;
  std::string out = "<figure><figcaption><b>" + std::string(name) + "</b> <span>" + meaning +
                    "</span></figcaption><svg viewBox=\"0 0 " + number(width) + " " + number(height) +
                    "\" role=img aria-label=\"" + name +
                    " scores of all heads\" style=\"max-width:" + number(2 * width) + "px\">";
  for (int64_t l = 0; l < r.layers; ++l) {
    const double y = kCell * static_cast<double>(r.layers - 1 - l);
    if (l % 5 == 0)
      out += "<text class=soft style=\"font-size:8px\" text-anchor=end x=20 y=" + number(y + 10) + ">L" +
             std::to_string(l) + "</text>";
    for (int64_t h = 0; h < r.heads; ++h) {
      const double score = scores[static_cast<size_t>(l)][static_cast<size_t>(h)];
      const std::string at = " x=" + number(24 + kCell * static_cast<double>(h)) + " y=" + number(y) +
                             " width=12.6 height=12.6 rx=2";
      out += "<rect class=empty" + at + "></rect><rect" + at +
             " fill-opacity=" + digits(std::clamp(score, 0.0, 1.0)) + "><title>" + Head{l, h}.name() + ": " +
             digits(score) + "</title></rect>";
    }
  }
  return out + "</svg></figure>";
}

std::string ablations(const CircuitReport& r) {
  double most = 0;
  for (const Ablation& a : r.ablations) most = std::max(most, a.loss);
  std::string out = "<div class=wide><table><tr><th>silenced<th class=n>loss<th></tr>";
  for (const Ablation& a : r.ablations) {
    std::vector<std::string> names;
    for (const Head& h : a.heads) names.push_back(h.name());
    out += "<tr><td class=wrap>" + escaped(a.what) +
           (names.empty() ? "" : "<div class=\"small soft\">" + join(names) + "</div>") + "<td class=n>" +
           digits(a.loss) + "<td class=bar><i style=\"width:" + number(most > 0 ? 100 * a.loss / most : 0) +
           "%\"></i></tr>";
  }
  return out + "</table></div>";
}

std::string composition_table(const CircuitReport& r) {
  std::string out =
      "<div class=wide><table><tr><th>head<th class=n>induction<th class=n>OV copying<th class=n>with "
      "tokens<th>its keys read</tr>";
  for (size_t i = 0; i < r.induction.size(); ++i) {
    const CircuitHead& h = r.induction[i];
    std::string reads;
    for (const KeyComposition& k : r.keys[i])
      if (k.rank <= 3 || (r.chosen >= 0 && k.from == r.source().at))
        reads += (reads.empty() ? "" : ", ") + k.from.name() + " " + digits(k.score, 4) + " (" +
                 std::to_string(k.rank) + " of " + std::to_string(k.of) + ")";
    out += "<tr><td>" + h.at.name() + "<td class=n>" + digits(h.score) + "<td class=n>" +
           digits(h.says.copying) + "<td class=n>" + digits(h.says.full_copying) + "<td class=wrap>" + reads +
           "</tr>";
  }
  return out + "</table></div>";
}

}  // namespace

// From below: tokens, the previous-token head over B, the induction heads over the second A, and what they say.
std::string circuit_drawing(const CircuitReport& r) {
  constexpr double kWidth = 960, kTokens = 330, kSource = 225, kHeads = 100, kSays = 30;
  constexpr const char* kNames[] = {"…", "A", "B", "…", "A", "B?"};
  const auto place = [&](int i) { return 90.0 + 148.0 * i; };
  std::string out =
      "<svg viewBox=\"0 0 " + number(kWidth) + " 375\" role=img aria-label=\"The induction circuit\">";
  const auto heads = static_cast<double>(std::min<size_t>(r.induction.size(), 6));
  const double first = 620 - (heads - 1) * 46;
  out += curve(place(1), kTokens - 18, place(2), kSource + 18, "looks") +
         curve(place(2), kTokens - 18, place(2), kSource + 18, "looks");
  for (size_t i = 0; i < static_cast<size_t>(heads); ++i) {
    const double x = first + 92 * static_cast<double>(i);
    double strength = 0;
    for (const KeyComposition& k : r.keys[i]) strength = k.from == r.source().at ? k.score : strength;
    out += curve(place(2), kSource - 18, x, kHeads + 22, "wire", 1 + 22 * strength) +
           curve(place(4), kTokens - 18, x, kHeads + 22, "looks") +
           curve(x, kHeads - 22, 620, kSays + 14, "wire", 1 + 3 * r.induction[i].score);
  }
  for (int i = 0; i < 6; ++i)
    out += (i % 3 ? box(place(i), kTokens, 74, 36, "box") : "") + text_at(place(i), kTokens + 5, kNames[i]);
  out += text_at(place(1), kTokens + 36, "once", "soft") +
         text_at(place(4), kTokens + 36, "and again", "soft") +
         text_at(place(5), kTokens + 36, "comes next", "soft");
  out += box(place(2), kSource, 128, 36, "head") + text_at(place(2), kSource - 1, r.source().at.name()) +
         text_at(place(2), kSource + 13, "looks back " + digits(r.source().score), "soft");
  for (size_t i = 0; i < static_cast<size_t>(heads); ++i) {
    const double x = first + 92 * static_cast<double>(i);
    out += box(x, kHeads, 84, 44, "head") + text_at(x, kHeads - 2, r.induction[i].at.name()) +
           text_at(x, kHeads + 14, digits(r.induction[i].score), "soft");
  }
  out += text_at(620, kSays + 4, "raise B") +
         text_at(place(1) + 40, kSource - 40, "B’s keys say: after A", "soft") +
         text_at(840, kSource + 6, "A’s query asks: what came after A?", "soft");
  return out + "</svg>";
}

std::string report_page(const CircuitReport& r) {
  std::string out =
      "<!doctype html>\n<!-- loupe circuits report -->\n<html lang=en><head><meta charset=utf-8><meta "
      "name=viewport "
      "content=\"width=device-width\"><title>Circuits of " +
      escaped(r.model) + " · Loupe</title><style>" + style_sheet("circuits.css") +
      std::string(embedded("drawing.css")) + "</style></head><body><header>" + std::string(kMark) +
      "<div><h1>" + (r.found() ? "The induction circuit of " : "No induction circuit in ") +
      escaped(r.model) + "</h1><p>" + escaped(report_verdict(r)) + "</p></div></header>\n";
  if (r.found()) {
    out +=
        "<p class=text>Where a token comes again, an induction head looks at what followed it before and "
        "raises just that. It can, "
        "since an earlier head has left at each token a note of the one before it, which the induction "
        "head’s keys read "
        "(K-composition: the thicker, the more).</p><div class=drawn>" +
        circuit_drawing(r) + "</div>\n";
  }
  if (!r.induction.empty())
    out +=
        "<h2>What the weights say</h2><p class=text>OV copying: the share of positive eigenvalues of what a "
        "head carries, from −1 to 1, in "
        "the stream and from token to token. K-composition: ‖QK·OV‖ / (‖QK‖ ‖OV‖) with every earlier "
        "head.</p>" +
        composition_table(r);
  out +=
      "<h2>What silencing does</h2><p class=text>Heads’ results are 0 (zero ablation); the mean loss of a "
      "token that comes again, in nats, "
      "over " +
      std::to_string(std::min(r.how.ablated, r.how.sequences)) +
      " sequences. At first, when nothing tells what comes, it is " + digits(r.repeats.first, 1) + ".</p>" +
      ablations(r);
  if (r.layers > 0) {
    const HeadStatistics& s = r.repeats.heads;
    out += "<h2>Every head</h2><p class=text>Attention to one token, the mean over " +
           std::to_string(r.how.sequences) + " sequences of " + std::to_string(r.how.half) +
           " random tokens, twice. A row is a layer, the last one above.</p><div class=maps>" +
           heat_map(r, "Induction", "what followed the same token", s.of(Statistic::induction)) +
           heat_map(r, "Previous", "the token before", s.of(Statistic::previous)) +
           heat_map(r, "Duplicate", "the same token", s.of(Statistic::duplicate)) +
           heat_map(r, "First", "the first token", s.of(Statistic::first)) + "</div>";
  }
  return out +
         "<footer class=\"small soft\"><p>Elhage et al. 2021, “A mathematical framework for transformer "
         "circuits”; Olsson et al. 2022, "
         "“In-context learning and induction heads”. Made by Loupe " LOUPE_VERSION " in " +
         short_seconds(r.seconds) + ".</p></footer></body></html>\n";
}

}  // namespace loupe
