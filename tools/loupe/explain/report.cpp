// The page about one picture or a few. It needs nothing but itself: pictures, numbers and script are inline. Without its
// script it shows the same, all of it, one below the other.
#include <cstdio>
#include <filesystem>
#include <string>

#include "tools/loupe/explain/explained.h"
#include "tools/loupe/explain/page_parts.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

std::string article(const MethodResult& r, const std::string& photo, const Shape& input) {
  const bool wide = r.maps.size() > 1;
  std::string out = "<article data-method=\"" + std::string(r.method->name) + "\"" +
                    (wide ? " class=wide" : "") + "><div class=head><h3>" + title(r.method->name) +
                    "</h3><span class=\"small soft\">" + short_seconds(r.seconds) +
                    "</span></div><div class=maps>";
  for (const DrawnMap& m : r.maps) out += map_figure(m, wide ? title(m.name) : "", photo, input);
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
  std::string out = "<ol class=\"top small\" aria-label=\"The likeliest classes\">";
  for (const Verdict& v : image.top) {
    char width[16];
    std::snprintf(width, sizeof width, "%.2f", v.probability * 100);
    bool asked = false;
    for (const Answer& a : image.answers) asked |= a.verdict && a.verdict->index == v.index;
    out += std::string("<li") + (asked ? " class=is" : "") + "><b style=\"width:" + width + "%\"></b><span>" +
           escaped(v.label) + "</span><span>" + percent(v.probability) + "</span></li>";
  }
  return out + "</ol>";
}

// What is explained, in a line, and where its numbers are. `folder`: the image's, as the page sees it.
std::string asked(const Answer& a, const std::string& folder, size_t i) {
  const std::string what = a.verdict ? "class " + std::to_string(a.verdict->index) + " · score " +
                                           short_number(a.score) + " · " + percent(a.verdict->probability)
                                     : worth(a);
  const std::string file = folder + (a.folder.empty() ? "" : a.folder + "/") + kTensorsFile;
  return "<div class=asked data-answer=" + std::to_string(i) + "><h2>" + escaped(a.words) +
         "</h2><p class=soft>" + what + "</p><p class=\"small soft\">numbers: <a href=\"./" + address(file) +
         "\">" + escaped(file) + "</a></p></div>";
}

// One of a group of choices: a radio button, which the arrow keys move.
std::string choice(const std::string& group, const std::string& value, const std::string& text, bool chosen) {
  return "<label><input type=radio name=\"" + group + "\" value=\"" + value + "\"" +
         (chosen ? " checked" : "") + "><span>" + text + "</span></label>";
}

std::string controls(const ExplainedImage& image, size_t i) {
  const std::string number = std::to_string(i);
  std::string out = "<form class=controls hidden>";
  if (image.answers.size() > 1) {
    out += "<fieldset class=\"choices classes\"><legend>Explained</legend>";
    for (size_t a = 0; a < image.answers.size(); ++a)
      out += choice("answer" + number, std::to_string(a), escaped(image.answers[a].words), a == 0);
    out += "</fieldset>";
  }
  const std::vector<MethodResult>& methods = image.answers.at(0).methods;
  if (methods.size() > 1) {
    out += "<fieldset class=\"choices tabs\"><legend>Method</legend>" +
           choice("method" + number, "", "All " + std::to_string(methods.size()), true);
    for (const MethodResult& r : methods)
      out += choice("method" + number, std::string(r.method->name), title(r.method->name), false);
    out += "</fieldset>";
  }
  return out +
         "<label class=opacity>photograph<input type=range min=0 max=100 value=100 aria-label=\"How much of "
         "the "
         "map covers the photograph\">map</label></form>";
}

std::string section(const ExplainedImage& image, size_t i, bool of_many) {
  const std::string size = std::to_string(image.input[3]) + " / " + std::to_string(image.input[2]);
  const std::string photo = "photo" + std::to_string(i), folder = of_many ? "" : image.name + "/";
  std::string out = "<section id=image" + std::to_string(i) + "><aside><i class=" + photo +
                    " style=\"aspect-ratio:" + size + "\" role=img aria-label=\"The input\"></i>";
  for (size_t a = 0; a < image.answers.size(); ++a) out += asked(image.answers[a], folder, a);
  out += likeliest(image) + "<p class=\"small soft\">" + escaped(image.path) +
         "<br>as the network sees it: " + std::to_string(image.input[3]) + "×" +
         std::to_string(image.input[2]) + " pixels</p></aside><div class=answers>" + controls(image, i);
  for (size_t a = 0; a < image.answers.size(); ++a) {
    out += "<div class=answer data-answer=" + std::to_string(a) + ">";
    if (image.answers.size() > 1) out += "<h2>" + escaped(image.answers[a].words) + "</h2>";
    out += "<div class=methods>\n";
    for (const MethodResult& r : image.answers[a].methods) out += article(r, photo, image.input);
    out += "</div></div>";
  }
  return out + "</div></section>\n";
}

// Few pictures: one after another, with links to each at the top.
std::string contents(std::span<const ExplainedImage> images) {
  std::string out = "<nav aria-label=Pictures>";
  for (size_t i = 0; i < images.size(); ++i) {
    const Answer& a = images[i].answers.at(0);
    out += "<a href=\"#image" + std::to_string(i) + "\"><i class=photo" + std::to_string(i) +
           "></i><span class=small>" + escaped(a.words) + "<br><span class=soft>" +
           (a.verdict ? percent(a.verdict->probability) : short_number(a.score)) + "</span></span></a>";
  }
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
  return out +
         "<p>Made by Loupe " LOUPE_VERSION
         ". The score is the class's logit, before softmax; maps explain the score, the difference of two "
         "scores "
         "or the unit that is named, unless they say otherwise.</p></footer></body></html>\n";
}

std::string report(const Explained& all, std::span<const ExplainedImage> images, bool of_many) {
  std::string photos;
  for (size_t i = 0; i < images.size(); ++i)
    photos += ".photo" + std::to_string(i) + "{background-image:url(" + data_url(images[i].photo) + ")}\n";
  std::string out =
      page_begin(all, photos,
                 std::string("point at a map, or step over it with the arrow keys, to read its numbers") +
                     (of_many ? " · <a href=\"../report.html\">all pictures</a>" : ""));
  if (images.size() > 1) out += contents(images);
  for (size_t i = 0; i < images.size(); ++i) out += section(images[i], i, of_many);
  out += "<script>" + std::string(embedded("report.js")) + "</script>\n";
  return out + page_end(all, !of_many);
}

}  // namespace loupe
