// The page of `loupe tour`: one file that needs nothing but itself; there is no script. What it says comes
// from the run alone.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/image/colour.h"
#include "engine/image/image.h"
#include "tools/loupe/html.h"
#include "tools/loupe/text.h"
#include "tools/loupe/tour.h"

namespace loupe {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kStyle = R"css(
:root { --good: #2c7a4b; --bad: #a8402c; --first: #e08a1e; --second: #3f86d8; }
@media (prefers-color-scheme: dark) { :root { --good: #6fcb95; --bad: #f08a6c; --first: #f0a848; --second: #78b2f2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 2.2rem 1.5rem 4rem; background: var(--page); color: var(--text);
       font: 16px/1.55 system-ui, sans-serif; }
header { display: flex; align-items: flex-start; gap: 1.1rem; }
header svg { width: 54px; height: 54px; flex: none; color: var(--accent); }
h1 { margin: 0; font-size: 2rem; line-height: 1.15; letter-spacing: -.02em; }
h2 { margin: 0 0 .3rem; font-size: 1.45rem; line-height: 1.2; letter-spacing: -.01em; }
h3 { margin: 0; font-size: 1.06rem; line-height: 1.3; }
p { margin: .4rem 0; }
.lead { font-size: 1.1rem; max-width: 46em; }
.text { max-width: 46em; }
.soft { color: var(--soft); }
.small { font-size: .86rem; line-height: 1.4; }
a { color: var(--accent); }
section { margin-top: 3rem; padding-top: 1.6rem; border-top: 1px solid var(--line); }
img { display: block; width: 100%; height: auto; image-rendering: pixelated; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: .8rem; margin: 1.6rem 0 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: .7rem .9rem; }
.facts b { display: block; font-size: 1.4rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(72px, 1fr)); gap: .7rem; margin-top: 1rem; }
.strip figure { margin: 0; text-align: center; }
.strip img { border-radius: 8px; }
.picture { display: grid; grid-template-columns: 264px 1fr; gap: 1.6rem; padding: 1.5rem 0; border-top: 1px solid var(--line); }
.picture:first-of-type { border-top: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; margin-bottom: .7rem; }
.pair img, .big img { border-radius: 8px; }
.big { display: grid; grid-template-columns: 256px 256px 1fr; gap: 1.2rem 1.6rem; margin: 1.2rem 0 1.6rem; }
.big figure { margin: 0; }
.key { display: flex; flex-wrap: wrap; gap: .1rem .7rem; }
.said p { max-width: 34em; }
.key i { display: inline-block; width: .75em; height: .75em; border-radius: 3px; margin-right: .35em; }
.bars { list-style: none; margin: .4rem 0; padding: 0; max-width: 30rem; font-size: .88rem; }
.bars li { position: relative; display: flex; justify-content: space-between; gap: .6rem; padding: .18rem .5rem; margin: 3px 0;
           border-radius: 5px; overflow: hidden; background: color-mix(in srgb, var(--line) 45%, transparent); }
.bars b { position: absolute; inset: 0 auto 0 0; background: color-mix(in srgb, var(--soft) 30%, transparent); }
.bars span { position: relative; font-variant-numeric: tabular-nums; }
.bars .is { font-weight: 650; }
.bars .is b { background: color-mix(in srgb, var(--good) 38%, transparent); }
.maps { display: grid; grid-template-columns: repeat(var(--columns), 1fr); gap: .9rem .7rem; align-content: start; }
.maps figure { margin: 0; max-width: 192px; }
.map { position: relative; border-radius: 8px; overflow: hidden; background: center / 100% 100%; }
.map img { transition: opacity .2s; }
.map:hover img { opacity: 0; }
.map svg { position: absolute; inset: 0; width: 100%; height: 100%; fill: none; stroke-linecap: square; }
.under { stroke: #000; stroke-opacity: .5; stroke-width: 2.6; }
.over { stroke: #fff; stroke-opacity: .95; stroke-width: 1.1; }
.first .over { stroke: #ffb84d; } .second .over { stroke: #7fbcff; }
.faint { opacity: .45; }
.mark { position: absolute; width: 14px; height: 14px; margin: -7px 0 0 -7px; border: 2.5px solid #fff; border-radius: 50%;
        box-shadow: 0 0 0 1.5px #000, inset 0 0 0 1.5px #000; pointer-events: none; }
figcaption { margin-top: .3rem; font-size: .86rem; line-height: 1.3; }
.hit, .miss { display: block; font-weight: 600; }
.hit { color: var(--good); } .miss { color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(var(--columns), 1fr); gap: 1.1rem; }
.cards figure { margin: 0; padding: .8rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.cards figcaption { margin-top: .6rem; font-size: .9rem; line-height: 1.4; }
.cards h3 + p { margin-top: .15rem; }
.source { font-size: .78rem; line-height: 1.35; color: var(--soft); }
.asked { display: grid; grid-template-columns: 1fr; gap: 1.2rem; }
.asked h3 { margin-bottom: .5rem; }
.tag1 { color: var(--first); } .tag2 { color: var(--second); }
.wide { overflow-x: auto; margin: 1rem 0; }
.plot svg { display: block; min-width: 860px; width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .34rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child { text-align: left; }
tbody.base td { color: var(--soft); font-style: italic; }
td.best { font-weight: 700; } td.poor { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; font-size: .86rem; line-height: 1.4; margin: .8rem 0; }
dt { font-weight: 600; } dd { margin: 0; color: var(--soft); }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 1.2rem; margin: 1.2rem 0; }
.curves figure { margin: 0; padding: .8rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.curves svg { display: block; width: 100%; height: auto; }
.curves text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.curves .grid { stroke: var(--line); } .curves .line { fill: none; stroke: var(--accent); stroke-width: 2.2; stroke-linejoin: round; }
pre { margin: .8rem 0; padding: .9rem 1.1rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow-x: auto;
      font: .86rem/1.7 ui-monospace, monospace; }
code { font: .9em ui-monospace, monospace; }
footer { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 1rem; }
@media (max-width: 760px) {
  body { padding: 1.4rem 1rem 3rem; } h1 { font-size: 1.6rem; } header svg { width: 40px; height: 40px; }
  .picture { grid-template-columns: 1fr; gap: 1rem; } .pair { max-width: 320px; }
  .maps { grid-template-columns: repeat(3, 1fr); gap: .8rem .5rem; } figcaption { font-size: .8rem; }
  .cards { grid-template-columns: 1fr 1fr; gap: .7rem; } .cards figure { padding: .6rem; }
  .big { grid-template-columns: 1fr 1fr; gap: .8rem; } .big .said { grid-column: 1 / -1; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
}
@media print { section, .picture { break-inside: avoid; } }
)css";

template <typename... Args>
std::string format(const char* pattern, Args... args) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

std::string several(int64_t n, const std::string& one, const std::string& many) {
  return with_commas(n) + " " + (n == 1 ? one : many);
}
std::string animals(int64_t n) { return several(n, "picture", "pictures"); }

// "a goose", "an ant"
std::string a_or_an(const std::string& name) {
  return (std::string("aeiou").find(name[0]) == std::string::npos ? "a " : "an ") + escaped(name);
}

std::string image(std::span<const uint8_t> png, const std::string& alternative) {
  return "<img width=64 height=64 alt=\"" + alternative + "\" src=\"" + data_url(png) + "\">";
}

// ---- the truth, drawn

// One colour a part; all equally light.
Lab part_colour(size_t i) {
  const double turn = 2 * 3.14159265358979 * std::fmod(0.11 + 0.382 * static_cast<double>(i), 1.0);
  return {0.75f, static_cast<float>(0.16 * std::cos(turn)), static_cast<float>(0.16 * std::sin(turn))};
}
constexpr Lab kFirst{0.76f, 0.06f, 0.13f}, kSecond{0.68f, -0.03f, -0.13f};

std::string css(Lab colour) {
  const Rgb c = to_rgb(colour);
  return format("#%02x%02x%02x", c[0], c[1], c[2]);
}

// The things in colour, each part of a lone one in its own; all else grey and pale.
std::vector<uint8_t> truth(const zoo::Drawing& d) {
  Image out = d.image;
  const bool alone = d.objects.size() == 1;
  for (size_t i = 0; i < out.rgb.size() / 3; ++i) {
    uint8_t* pixel = out.rgb.data() + 3 * i;
    const Lab drawn = to_lab(pixel);
    Lab colour = {0.78f + 0.18f * drawn.L, 0, 0};
    for (size_t o = 0; o < d.objects.size(); ++o) {
      const zoo::Object& object = d.objects[o];
      if (!object.mask[i]) continue;
      Lab inside = alone ? Lab{0.35f + 0.35f * drawn.L, 0, 0} : (o == 0 ? kFirst : kSecond);
      if (!alone) inside.L += 0.5f * (drawn.L - 0.6f);
      if (alone)
        for (size_t p = 0; p < object.parts.size(); ++p)
          inside = mix(inside, part_colour(p), static_cast<float>(object.parts[p].mask[i]) / 255);
      colour = mix(colour, inside, static_cast<float>(object.mask[i]) / 255);
    }
    const Rgb rgb = to_rgb(colour);
    std::copy(rgb.begin(), rgb.end(), pixel);
  }
  return encode_png(out);
}

std::string key(const zoo::Object& object) {
  std::string out = "<div class=\"key small\">";
  for (size_t p = 0; p < object.parts.size(); ++p)
    out += "<span><i style=\"background:" + css(part_colour(p)) + "\"></i>" + escaped(object.parts[p].name) +
           "</span>";
  return out + "</div>";
}

// The edges between pixels that are the thing's and pixels that are not, as an SVG path.
std::string outline(const zoo::Mask& mask) {
  constexpr int64_t n = zoo::kSize;
  const auto inside = [&](int64_t y, int64_t x) {
    return y >= 0 && y < n && x >= 0 && x < n && mask[static_cast<size_t>(y * n + x)] >= 128;
  };
  std::string path;
  const auto runs = [&](bool horizontal) {
    for (int64_t line = 0; line <= n; ++line)
      for (int64_t i = 0; i < n;) {
        const auto edge = [&](int64_t k) {
          return horizontal ? inside(line - 1, k) != inside(line, k) : inside(k, line - 1) != inside(k, line);
        };
        const int64_t begin = i;
        while (i < n && edge(i)) ++i;
        if (i > begin)
          path += "M" + std::to_string(horizontal ? begin : line) + " " +
                  std::to_string(horizontal ? line : begin) + (horizontal ? "h" : "v") +
                  std::to_string(i - begin);
        else
          ++i;
      }
  };
  runs(true);
  runs(false);
  return path;
}

// ---- a picture and its maps

std::string name_of(const char* group, size_t i) { return group + std::to_string(i); }

// Outlines for <use>, and the drawing for under the maps.
std::string definitions(const TourPicture& p, const std::string& id) {
  std::string out = "<svg width=0 height=0 style=\"position:absolute\" aria-hidden=true><defs>";
  for (size_t o = 0; o < p.drawing.objects.size(); ++o)
    out += "<path id=" + id + "o" + std::to_string(o) + " vector-effect=non-scaling-stroke d=\"" +
           outline(p.drawing.objects[o].mask) + "\"/>";
  return out + "</defs></svg>";
}

std::string outlined(const std::string& id, size_t object, size_t objects) {
  std::string out = "<svg viewBox=\"0 0 64 64\" aria-hidden=true>";
  for (size_t o = 0; o < objects; ++o) {
    const std::string use = "<use href=\"#" + id + "o" + std::to_string(o) + "\" class=";
    const std::string kind = objects == 1 ? "" : o == 0 ? "first" : "second";
    out +=
        "<g class=\"" + kind + (o == object ? "" : " faint") + "\">" + use + "under />" + use + "over /></g>";
  }
  return out + "</svg>";
}

std::string judged(const TourPicture& p, size_t object, const Shown& shown) {
  if (!shown.pointed) return "<span class=soft>not a map of evidence</span>";
  const Pointed& at = *shown.pointed;
  const std::string& own = p.asked[object].verdict.label;
  if (at.hit())
    return "<span class=hit>✓ " + escaped(at.part.empty() || p.asked.size() > 1 ? own : at.part) + "</span>";
  if (at.other > 0.5) return "<span class=miss>✗ " + escaped(p.asked[1 - object].verdict.label) + "</span>";
  return "<span class=miss>✗ beside it</span>";
}

std::string map(const TourPicture& p, size_t object, const Shown& shown, const std::string& id) {
  std::string out =
      "<div class=\"map " + id + "\">" +
      image(shown.png, title(shown.method->name) + ", asked for " + a_or_an(p.asked[object].verdict.label)) +
      outlined(id, object, p.asked.size());
  if (const auto& at = shown.pointed)
    out += format("<i class=mark style=\"left:%.2f%%;top:%.2f%%\"></i>",
                  (static_cast<double>(at->x) + 0.5) / zoo::kSize * 100,
                  (static_cast<double>(at->y) + 0.5) / zoo::kSize * 100);
  return out + "</div>";
}

// In as few rows as go, at most so many in each, all equally long.
std::string columns_of(size_t count, size_t most) {
  const size_t rows = (count + most - 1) / most;
  return "style=\"--columns:" + std::to_string((count + rows - 1) / rows) + "\"";
}

std::string row_of_maps(const TourPicture& p, size_t object, const std::string& id, size_t most) {
  std::string out = "<div class=maps " + columns_of(p.asked[object].maps.size(), most) + ">";
  for (const Shown& shown : p.asked[object].maps)
    out += "<figure title=\"" + escaped(shown.caption) + "\">" + map(p, object, shown, id) + "<figcaption>" +
           title(shown.method->name) + judged(p, object, shown) + "</figcaption></figure>";
  return out + "</div>\n";
}

std::string bars(const TourPicture& p) {
  std::string out = "<ol class=bars>";
  for (size_t i = 0; i < std::min<size_t>(3, p.ranking.size()); ++i) {
    const Verdict& v = p.ranking[i];
    const bool is =
        std::ranges::any_of(p.asked, [&](const AskedFor& a) { return a.verdict.index == v.index; });
    out += std::string("<li") + (is ? " class=is" : "") +
           format("><b style=\"width:%.2f%%\"></b><span>", v.probability * 100) + escaped(v.label) +
           "</span><span>" + percent(v.probability) + "</span></li>";
  }
  return out + "</ol>";
}

bool right(const TourPicture& p) { return p.ranking[0].index == p.asked[0].verdict.index; }

std::string said(const TourPicture& p) {
  const std::string is = p.asked[0].verdict.label, says = p.ranking[0].label;
  if (right(p)) return "";
  return "<p class=small>The network takes it for " + a_or_an(says) + ". The maps show what it found of " +
         a_or_an(is) + " all the same.</p>";
}

std::string where(const TourPicture& p) {
  const std::string_view background = zoo::background_name(p.drawing.background);
  return "picture " + std::to_string(p.index) + "; background: " + escaped(background);
}

std::string pair(const TourPicture& p) {
  std::string names;
  for (const AskedFor& a : p.asked) names += (names.empty() ? "" : " and ") + a_or_an(a.verdict.label);
  return "<div class=pair>" + image(encode_png(p.drawing.image), "A drawing of " + names) +
         image(truth(p.drawing), "Where the drawing shows it") + "</div>";
}

// The first picture: large, with the words that go for all.
std::string slowly(const Tour& tour) {
  const TourPicture& p = tour.alone[0];
  const std::string& label = p.asked[0].verdict.label;
  int64_t hits = 0, judged_maps = 0;
  for (const Shown& s : p.asked[0].maps)
    if (s.pointed) ++judged_maps, hits += s.pointed->hit();
  std::string out = "<section><h2>One picture, slowly</h2>\n<div class=big><figure>" +
                    image(encode_png(p.drawing.image), "A drawing of " + a_or_an(label)) +
                    "<figcaption><b>What the network gets:</b> 64×64 pixels, " + where(p) +
                    ".</figcaption></figure><figure>" + image(truth(p.drawing), "The parts of the drawing") +
                    "<figcaption><b>What is true:</b> " + a_or_an(label) +
                    ", and where its parts can be seen.</figcaption>" + key(p.drawing.objects[0]) +
                    "</figure><div class=said><h3>The network says: " + escaped(p.ranking[0].label) +
                    "</h3>" + bars(p) + said(p) +
                    "<p>It says so from pixels alone; nobody told it where to look. So each method is "
                    "asked: which pixels speak for " +
                    a_or_an(label) +
                    "? The circle is at the map's strongest pixel, the line goes round the " +
                    escaped(label) + ". Of " + several(judged_maps, "method, ", "methods, ") +
                    (hits == 1 ? "1 points" : with_commas(hits) + " point") + " at it.</p></div></div>\n" +
                    "<div class=cards " + columns_of(p.asked[0].maps.size(), 5) + ">\n";
  for (const Shown& shown : p.asked[0].maps)
    out += "<figure>" + map(p, 0, shown, "a0") + "<figcaption><h3>" + title(shown.method->name) + "</h3><p>" +
           judged(p, 0, shown) + "</p><p>" + escaped(shown.caption) + "</p><p class=source>" +
           escaped(shown.method->source) + "</p></figcaption></figure>\n";
  out += "</div>";
  if (!tour.scores.skipped.empty()) {
    out += "<p class=\"small soft\">Left out: ";
    for (const Skipped& s : tour.scores.skipped)
      out += (&s == tour.scores.skipped.data() ? "" : "; ") + title(s.method) + ", for " + escaped(s.why);
    out += ".</p>";
  }
  return out + "</section>\n";
}

std::string more(const Tour& tour) {
  if (tour.alone.size() < 2) return "";
  std::string out =
      "<section><h2>And " + several(std::ssize(tour.alone) - 1, "more", "more") +
      "</h2><p class=\"text soft\">Hold the pointer on a map to see the drawing under it, and on its "
      "name to read what it shows. ✓ names the part that a map points at.</p>\n";
  for (size_t i = 1; i < tour.alone.size(); ++i) {
    const TourPicture& p = tour.alone[i];
    const std::string& label = p.asked[0].verdict.label;
    out += "<div class=picture><aside>" + pair(p) + "<h3>" + a_or_an(label) + "</h3>" + bars(p) + said(p) +
           key(p.drawing.objects[0]) + "<p class=\"small soft\">" + where(p) + "</p></aside>\n" +
           row_of_maps(p, 0, name_of("a", i), 6) + "</div>\n";
  }
  return out + "</section>\n";
}

std::string this_one(const Tour& tour) {
  std::string out =
      "<section><h2>This one, not the other</h2><p class=text>Two of the zoo are in each picture, and each is "
      "asked for "
      "in turn. A map that is about the class should move from one to the other; a map that stays where it "
      "is shows "
      "what the network sees, not why it says so.</p>\n";
  for (size_t i = 0; i < tour.together.size(); ++i) {
    const TourPicture& p = tour.together[i];
    out += "<div class=picture><aside>" + pair(p) + "<h3><span class=tag1>" +
           escaped(p.asked[0].verdict.label) + "</span> and <span class=tag2>" +
           escaped(p.asked[1].verdict.label) + "</span></h3>" + bars(p) + "<p class=\"small soft\">" +
           where(p) + "</p></aside><div class=asked>\n";
    for (size_t o = 0; o < p.asked.size(); ++o)
      out += "<div><h3>Where is the <span class=tag" + std::to_string(o + 1) + ">" +
             escaped(p.asked[o].verdict.label) + "</span>? <span class=\"small soft\">The network gives it " +
             percent(p.asked[o].verdict.probability) + "</span></h3>" +
             row_of_maps(p, o, name_of("t", i), 8) + "</div>\n";
    out += "</div></div>\n";
  }
  return out + "</section>\n";
}

// ---- scores

std::string cell(const Tour& tour, size_t method, size_t metric) {
  const auto& standings = tour.scores.evaluation.standings;
  const Verdicts& v = standings[method].verdicts[metric];
  if (v.tally.count() == 0) return "<td>–</td>";
  const std::string mean = format("%.3f", v.tally.mean());
  const std::string tip =
      format(" title=\"± %.3f, of ", v.tally.standard_error()) + with_commas(v.tally.count()) + "\"";
  if (v.metric->passes_below && !standings[method].contestant.baseline)
    return "<td" + tip + ">" + mean +
           (v.tally.mean() < *v.metric->passes_below ? " <span style=\"color:var(--good)\">passes</span>"
                                                     : " <span style=\"color:var(--bad)\">fails</span>") +
           "</td>";
  bool best = !standings[method].contestant.baseline;
  for (const Standing& s : standings) {
    const Tally& other = s.verdicts[metric].tally;
    if (s.contestant.baseline || other.count() == 0) continue;
    best &= v.metric->better == Metric::Better::higher ? v.tally.mean() >= other.mean()
                                                       : v.tally.mean() <= other.mean();
  }
  const bool poor = v.beats_baselines == false;
  return "<td" + tip +
         (best   ? " class=best"
          : poor ? " class=poor"
                 : "") +
         ">" + mean + (poor ? "*" : "") + "</td>";
}

std::string scores(const Tour& tour) {
  const Scores& s = tour.scores;
  std::string out =
      "<section><h2>How often is each right?</h2><p class=text>A few pictures are anecdotes. So every method "
      "was asked "
      "about " +
      animals(s.count) + " of the zoo, of which the network names " + percent(s.evaluation.right.mean()) +
      " right, and scored by what is true. The two baselines look at nothing: <i>centre</i> always points at "
      "the middle, where pictures tend to have their object, <i>random</i> anywhere. A method that does not "
      "beat them has shown nothing.</p>\n<div class=wide><table><thead><tr><th>method</th>";
  bool any_poor = false;
  for (const Metric* m : all_metrics())
    out += "<th title=\"" + escaped(m->summary) + "\">" + escaped(m->heading) + "</th>";
  out += "<th>ms</th></tr></thead><tbody>\n";
  bool baselines = false;
  for (size_t i = 0; i < s.evaluation.standings.size(); ++i) {
    const Standing& standing = s.evaluation.standings[i];
    if (standing.contestant.baseline && !baselines) out += "</tbody><tbody class=base>\n";
    baselines = standing.contestant.baseline;
    out += "<tr><td>" + title(standing.contestant.method->name) + "</td>";
    for (size_t k = 0; k < standing.verdicts.size(); ++k) {
      out += cell(tour, i, k);
      any_poor |= standing.verdicts[k].beats_baselines == false;
    }
    out += format(standing.seconds < 0.00995 ? "<td>%.1f</td></tr>\n" : "<td>%.0f</td></tr>\n",
                  standing.seconds * 1e3);
  }
  out += "</tbody></table></div>\n";
  if (any_poor) out += "<p class=small>* no better than a baseline. In bold, the best of a column.</p>\n";
  out += "<div class=\"wide plot\">" + scores_plot(s) +
         "</div>\n<details><summary>What the columns mean</summary><dl>";
  for (const Metric* m : all_metrics())
    out += "<dt>" + escaped(m->heading) + "</dt><dd>" + escaped(m->summary) +
           (m->passes_below ? "; passes below " + short_number(*m->passes_below) : "") + " (" +
           escaped(m->source) + ")</dd>";
  out += "<dt>ms</dt><dd>milliseconds for one map on " + escaped(s.device) + ", " +
         several(s.threads, "thread", "threads") + ", the median</dd></dl></details>";
  std::vector<std::string> alone, together;
  for (const Metric* m : all_metrics())
    if (m->costly) (m->objects == 1 ? alone : together).push_back("<i>" + escaped(m->heading) + "</i>");
  return out + "<p class=\"small soft\">To be quick, " + join(alone) + " are of the first " +
         several(s.costly, "picture", "pictures") + " alone, and " + join(together) + " of " +
         with_commas(s.costly) +
         " with two of the zoo; <code>loupe evaluate</code> takes its time.</p></section>\n";
}

// ---- training

struct Axis {
  double low, high;
  std::vector<double> ticks;
};

std::string curve(const std::vector<CurvePoint>& points, double CurvePoint::*field, const std::string& name,
                  const Axis& axis, bool share) {
  constexpr double kWidth = 520, kHeight = 200, kLeft = 44, kRight = 12, kTop = 10, kBottom = 28;
  double last = 1;
  for (const CurvePoint& p : points) last = std::max(last, p.step);
  const auto x = [&](double step) { return kLeft + (kWidth - kLeft - kRight) * step / last; };
  const auto y = [&](double value) {
    const double part = std::clamp((value - axis.low) / (axis.high - axis.low), 0.0, 1.0);
    return kHeight - kBottom - (kHeight - kTop - kBottom) * part;
  };
  std::string out =
      "<figure><h3>" + name + format("</h3><svg viewBox=\"0 0 %.0f %.0f\" role=img>", kWidth, kHeight);
  for (const double t : axis.ticks)
    out += format("<path class=grid d=\"M%.1f %.1fH%.1f\"/><text x=%.1f y=%.1f text-anchor=end>", kLeft, y(t),
                  kWidth - kRight, kLeft - 8, y(t) + 4) +
           (share ? format("%.0f %%", t * 100) : short_number(t)) + "</text>";
  const double step = std::pow(10, std::floor(std::log10(last / 2)));
  const double every = last / step > 10 ? 5 * step : last / step > 4 ? 2 * step : step;
  for (double t = 0; t <= last; t += every)
    out += format("<text x=%.1f y=%.1f text-anchor=middle>", x(t), kHeight - 8) +
           with_commas(std::llround(t)) + "</text>";
  std::string path;
  for (const CurvePoint& p : points)
    path += format("%s%.1f %.1f", path.empty() ? "M" : "L", x(p.step), y(p.*field));
  return out + "<path class=line d=\"" + path + "\"/></svg></figure>\n";
}

std::string training(const Tour& tour) {
  const Json& r = tour.record;
  if (!r.is_object()) return "";
  const Json settings = r.value("settings", Json::object());
  std::string out = "<section><h2>Where the network comes from</h2><p class=text>Its " +
                    with_commas(tour.parameters) + " numbers were learned by Loupe itself";
  if (settings.contains("steps") && settings.contains("batch")) {
    const int64_t steps = std::stoll(settings["steps"].get<std::string>()),
                  batch = std::stoll(settings["batch"].get<std::string>());
    out += ", in " + several(steps, "step", "steps") + " of " + several(batch, "drawing", "drawings") +
           " each, none seen twice";
  }
  if (r.contains("seconds"))
    out += ": " + short_seconds(r["seconds"].get<double>()) +
           (r.contains("threads") ? " on " + several(r["threads"].get<int64_t>(), "thread", "threads") : "");
  out += ".";
  if (r.contains("command"))
    out += " The command was <code>" + escaped(r["command"].get<std::string>()) + "</code>.";
  out += "</p>";
  if (r.contains("test")) {
    const Json& t = r["test"];
    out += "<p class=text>Of " + with_commas(t.at("count")) +
           " drawings that it had never seen it names <b>" + percent(t.at("accuracy")) +
           "</b> right. With the background swapped for one of another kind these are " +
           percent(t.at("swapped_accuracy")) +
           ": what the two differ by is what it had learned about places rather than animals.</p>";
  }
  if (!tour.curve.empty()) {
    const double loss = std::ranges::max(tour.curve, {}, &CurvePoint::loss).loss, unit = loss > 2   ? 1
                                                                                         : loss > 1 ? 0.5
                                                                                                    : 0.2;
    Axis axis{0, unit * std::ceil(loss / unit), {}};
    for (double t = 0; t <= axis.high + 1e-9; t += unit) axis.ticks.push_back(t);
    out += "<div class=curves>" +
           curve(tour.curve, &CurvePoint::accuracy, "Named right, while it learned",
                 {0, 1, {0, 0.25, 0.5, 0.75, 1}}, true) +
           curve(tour.curve, &CurvePoint::loss, "Loss", axis, false) + "</div>";
  }
  return out + "</section>\n";
}

// ---- the rest

std::string fact(const std::string& number, const std::string& words) {
  return "<div><b>" + number + "</b><span class=\"small soft\">" + words + "</span></div>";
}

std::string opening(const Tour& tour) {
  const Scores& s = tour.scores;
  std::string out =
      "<header>" + std::string(kMark) +
      "<div><h1>What does a network look at?</h1></div></header>\n"
      "<p class=lead>Loupe drew the pictures on this page a moment ago. A small network, which Loupe "
      "trained on drawings like them, says what each one is. Then " +
      several(std::ssize(tour.alone[0].asked[0].maps), "method", "methods") +
      " of explanation each mark the pixels that made it say so. Because the pictures are drawn, it is "
      "known which pixels are the animal: the explanations can be right or wrong, and here you see "
      "which.</p>\n<div class=facts>" +
      fact(std::to_string(s.labels.size()), "classes that the network " + escaped(s.model) + " tells apart") +
      fact(short_count(tour.parameters), "numbers that it learned");
  if (tour.record.is_object() && tour.record.contains("test"))
    out += fact(percent(tour.record["test"].at("accuracy")),
                "of " + with_commas(tour.record["test"].at("count")) + " fresh drawings named right");
  size_t named = 0;
  for (const TourPicture& p : tour.alone) named += right(p);
  out += fact(std::to_string(named) + " of " + std::to_string(tour.alone.size()),
              "of the lone animals below named right") +
         fact(short_seconds(tour.seconds), "to draw, explain and score all of this, on " + escaped(s.device) +
                                               ", " + several(s.threads, "thread", "threads")) +
         "</div>\n";
  out +=
      "<section><h2>The zoo</h2><p class=text>Pose, size, light and colours change from drawing to drawing, "
      "and the "
      "background says nothing about who stands before it. Things that lie about or hide a part belong to "
      "the "
      "game.</p><div class=strip>";
  for (size_t c = 0; c < tour.strip.size(); ++c)
    out += "<figure>" + image(encode_png(tour.strip[c]), "A drawing of " + a_or_an(s.labels[c])) +
           "<figcaption>" + escaped(s.labels[c]) + "</figcaption></figure>";
  return out + "</div></section>\n";
}

std::string next(const Tour& tour) {
  const std::string seed = std::to_string(tour.scores.seed + 1);
  std::string out = "<section><h2>What to try next</h2><pre>cd build/release/bin\n";
  for (const auto& [command, what] : std::vector<std::pair<std::string, std::string>>{
           {"tour --seed " + seed + " --out tour" + seed, "other animals"},
           {"zoo render --out zoo --count 140 --sheet", "pictures, masks of their parts, a contact sheet"},
           {"explain zoo/000003.png --method all", "one of them, or a picture of yours"},
           {"evaluate --count 1000", "the table above, with smaller errors"},
           {"train zoo", "the network again, from nothing"},
           {"plan --rule gradient", "which kernels run, and what they leave in memory"}})
    out += padded("./loupe " + command, 51) + "<span class=soft># " + what + "</span>\n";
  return out +
         "</pre><p class=text>For a network and photographs of your own, see <code>./loupe explain "
         "--help</code>. <code>tools/check</code> builds and runs the tests.</p></section>\n";
}

}  // namespace

std::string tour_page(const Tour& tour) {
  std::string out =
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width\"><title>What does a network look at? · Loupe</title><style>";
  out += std::string(kPageColours) + kStyle;
  std::string outlines;
  const auto prepare = [&](const std::vector<TourPicture>& pictures, const char* group) {
    for (size_t i = 0; i < pictures.size(); ++i) {
      out += "." + name_of(group, i) + "{background-image:url(" +
             data_url(encode_png(pictures[i].drawing.image)) + ")}\n";
      outlines += definitions(pictures[i], name_of(group, i));
    }
  };
  prepare(tour.alone, "a");
  prepare(tour.together, "t");
  out += "</style></head><body>" + outlines + opening(tour) + slowly(tour) + more(tour) + this_one(tour) +
         scores(tour) + training(tour) + next(tour);
  const Scores& s = tour.scores;
  return out + "<footer class=\"small soft\"><p>Made by Loupe " LOUPE_VERSION " on " + escaped(s.device) +
         ", from the set " + std::to_string(s.seed) +
         " of drawings: the same command makes the same pictures, maps and scores. A map is said to point at "
         "what its "
         "strongest pixel lies on, or misses by at most " +
         short_number(s.settings.tolerance) + " of 64 pixels; at a part, by " +
         short_number(s.settings.part_tolerance) +
         ". Maps explain the score of a class before softmax.</p></footer></body></html>\n";
}

}  // namespace loupe
