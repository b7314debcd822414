// The page about one picture or a few. It needs nothing but itself: every picture is inline, there is no script.
#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

#include "engine/image/colour.h"
#include "tools/loupe/explain/explained.h"
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
      return {};
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

std::string figure(const DrawnMap& map, bool titled, size_t photo) {
  std::string out = "<figure><div class=\"map photo" + std::to_string(photo) + "\"><img alt=\"" +
                    title(map.name) + "\" src=\"" + data_url(map.png) + "\"></div>" + scale(map) +
                    "<figcaption>";
  if (titled) out += "<h3>" + title(map.name) + "</h3>";
  return out + "<p class=small>" + escaped(map.caption) + "</p></figcaption></figure>";
}

std::string article(const MethodResult& r, size_t photo) {
  const bool wide = r.maps.size() > 1;
  std::string out = std::string("<article") + (wide ? " class=wide" : "") + "><div class=head><h3>" +
                    title(r.method->name) + "</h3><span class=\"small soft\">" + short_seconds(r.seconds) +
                    "</span></div><div class=maps>";
  for (const DrawnMap& m : r.maps) out += figure(m, wide, photo);
  out += "</div>";
  for (const std::string& note : r.notes) out += "<p class=small>" + escaped(note) + "</p>";
  if (!r.options.empty() || !r.checks.empty()) {
    out += "<dl>";
    for (const auto& [name, text] : r.options)
      out += "<div><dt>" + escaped(name) + "</dt><dd>" + (text.empty() ? "the default" : escaped(text)) +
             "</dd></div>";
    for (const Check& c : r.checks)
      out += "<div title=\"" + escaped(c.meaning) + "\"><dt>" + title(c.name) + "</dt><dd>" +
             short_number(c.value) +
             (c.interval
                  ? " (" + short_number(c.interval->first) + " to " + short_number(c.interval->second) + ")"
                  : "") +
             (!c.passes   ? ""
              : *c.passes ? " <b class=passes>passes</b>"
                          : " <b class=fails>fails</b>") +
             "</dd></div>";
    out += "</dl>";
    for (const Check& c : r.checks)
      out += std::string(c.passes == false ? "<p class=\"source fails\">" : "<p class=source>") +
             title(c.name) + ": " + escaped(c.meaning) + "</p>";
  }
  return out + "<p class=source>" + escaped(r.method->source) + "</p></article>\n";
}

std::string likeliest(const ExplainedImage& image) {
  std::string out = "<ol class=\"top small\">";
  for (const Verdict& v : image.top) {
    char width[16];
    std::snprintf(width, sizeof width, "%.2f", v.probability * 100);
    out += std::string("<li") + (v.index == image.target.index ? " class=is" : "") +
           "><b style=\"width:" + width + "%\"></b><span>" + escaped(v.label) + "</span><span>" +
           percent(v.probability) + "</span></li>";
  }
  return out + "</ol>";
}

std::string section(const ExplainedImage& image, size_t i) {
  const std::string size = std::to_string(image.input[3]) + " / " + std::to_string(image.input[2]);
  std::string out = "<section id=image" + std::to_string(i) + "><aside><i class=photo" + std::to_string(i) +
                    " style=\"aspect-ratio:" + size + "\" role=img aria-label=\"The input\"></i><h2>" +
                    escaped(image.target.label) + "</h2><p class=soft>class " +
                    std::to_string(image.target.index) + " · score " + short_number(image.target.score) +
                    " · " + percent(image.target.probability) + "</p>" + likeliest(image) +
                    "<p class=\"small soft\">" + escaped(image.path) +
                    "<br>as the network sees it: " + std::to_string(image.input[3]) + "×" +
                    std::to_string(image.input[2]) + " pixels<br>numbers: <code>" + escaped(image.name) +
                    "/maps.safetensors</code></p></aside><div class=methods>\n";
  for (const MethodResult& r : image.methods) out += article(r, i);
  return out + "</div></section>\n";
}

// Few pictures: one after another, with links to each at the top.
std::string contents(std::span<const ExplainedImage> images) {
  std::string out = "<nav>";
  for (size_t i = 0; i < images.size(); ++i)
    out += "<a href=\"#image" + std::to_string(i) + "\"><i class=photo" + std::to_string(i) +
           "></i><span class=small>" + escaped(images[i].target.label) + "<br><span class=soft>" +
           percent(images[i].target.probability) + "</span></span></a>";
  return out + "</nav>\n";
}

}  // namespace

std::string page_begin(const Explained& all, const std::string& style, const std::string& hint) {
  const std::string weights = all.weights == "formula"
                                  ? "weights from a formula: nothing was learnt"
                                  : std::filesystem::path(all.weights).filename().string();
  return std::string(kPageMark) +
         "<html lang=en><head><meta charset=utf-8><meta name=viewport "
         "content=\"width=device-width\"><title>" +
         escaped(all.model) + " · Loupe</title><style>" + style_sheet("report.css") + style +
         "</style></head><body><header>" + std::string(kMark) + "<div><h1>What " + escaped(all.model) +
         " looks at</h1><p class=soft>" + escaped(weights) + " · computed on " + all.device + " · " + hint +
         "</p></div></header>\n";
}

std::string page_end(const Explained& all, bool whole_run) {
  std::string out = "<footer class=\"small soft\">";
  for (const Skipped& s : all.skipped)
    out += "<p>" + title(s.method) + " was left out: " + escaped(s.why) + "</p>";
  if (whole_run)
    for (const Failure& f : all.failed) out += "<p>Not explained: " + escaped(f.why) + "</p>";
  return out + "<p>Made by Loupe " LOUPE_VERSION
               ". The score is the class's logit, before softmax; maps explain the score unless they say "
               "otherwise.</p></footer></body></html>\n";
}

std::string report(const Explained& all, std::span<const ExplainedImage> images, bool of_many) {
  std::string photos;
  for (size_t i = 0; i < images.size(); ++i)
    photos += ".photo" + std::to_string(i) + "{background-image:url(" + data_url(images[i].photo) + ")}\n";
  std::string out = page_begin(all, photos,
                               std::string("hold the pointer on a map to see the photograph under it") +
                                   (of_many ? " · <a href=\"../report.html\">all pictures</a>" : ""));
  if (images.size() > 1) out += contents(images);
  for (size_t i = 0; i < images.size(); ++i) out += section(images[i], i);
  return out + page_end(all, !of_many);
}

}  // namespace loupe
