// Pictures, what the network says about them, and their maps.
#include <algorithm>

#include "engine/image/image.h"
#include "tools/loupe/tour/parts.h"

namespace loupe::tour {

std::string name_of(const char* group, size_t i) { return group + std::to_string(i); }

std::string definitions(const TourPicture& p, const std::string& id) {
  std::string out = "<svg width=0 height=0 style=\"position:absolute\" aria-hidden=true><defs>";
  for (size_t o = 0; o < p.drawing.objects.size(); ++o)
    out += "<path id=" + id + "o" + std::to_string(o) + " vector-effect=non-scaling-stroke d=\"" +
           outline(p.drawing.objects[o].mask) + "\"/>";
  return out + "</defs></svg>";
}

bool right(const TourPicture& p) { return p.ranking[0].index == p.asked[0].verdict.index; }

namespace {

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

}  // namespace

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
                    "<p>It says so from pixels alone; nobody told it where to look. So each method is asked: "
                    "which pixels speak for " +
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
  std::string out = "<section><h2>And " + several(std::ssize(tour.alone) - 1, "more", "more") +
                    "</h2><p class=\"text soft\">Hold the pointer on a map to see the drawing under it, and "
                    "on its name to read what it shows. ✓ names the part that a map points at.</p>\n";
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
      "<section><h2>This one, not the other</h2><p class=text>Two of the zoo are in each picture, and each "
      "is asked for in turn. A map that is about the class should move from one to the other; a map that "
      "stays where it is shows what the network sees, not why it says so.</p>\n";
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

}  // namespace loupe::tour
