// The page of `loupe visualize`: a card a unit with its picture, its numbers and the way there. It needs nothing but
// itself.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/image/resize.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"
#include "tools/loupe/visualize/visualization.h"

namespace loupe {
namespace {

constexpr size_t kMany = 100;    // units, from which on the page shows small JPEGs
constexpr int64_t kSmall = 128;  // pixels of those
constexpr int kPoints = 120;     // of a curve

std::string picture_url(const Image& picture, bool small) {
  if (!small) return data_url(encode_png(picture));
  const double scale = std::min(
      1.0, static_cast<double>(kSmall) / static_cast<double>(std::max(picture.width, picture.height)));
  const auto side = [&](int64_t n) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(n) * scale));
  };
  return "data:image/jpeg;base64," +
         base64(encode_jpeg(resize(picture, side(picture.width), side(picture.height))));
}

std::string minus(const std::string& number) {
  return number.starts_with('-') ? "−" + number.substr(1) : number;
}

// The objective's way, in a box of 100×28.
std::string curve(const Visualized& u) {
  const auto& c = u.curve;
  if (c.size() < 2) return "";
  const auto [low, high] = std::ranges::minmax(c);
  const double span = high > low ? high - low : 1;
  std::string points;
  const size_t every = std::max<size_t>(1, c.size() / kPoints);
  for (size_t i = 0; i < c.size(); i += every) {
    char text[48];
    std::snprintf(text, sizeof text, "%.1f,%.1f ",
                  100.0 * static_cast<double>(i) / static_cast<double>(c.size() - 1),
                  27 - 26 * (c[i] - low) / span);
    points += text;
  }
  return "<svg class=curve viewBox=\"0 0 100 28\" preserveAspectRatio=none role=img aria-label=\"The "
         "objective, step by "
         "step\"><polyline points=\"" +
         points + "\"/></svg>";
}

// Not parted from its sign at a line's end.
std::string share_text(double share) {
  std::string text = percent(share);
  if (const size_t space = text.find(' '); space != std::string::npos) text.replace(space, 1, "&nbsp;");
  return text;
}

std::string judged_text(const Visualization& all, size_t i) {
  if (!all.judgement || !all.judgement->right[i]) return "";
  return "<p class=\"small soft\">" + escaped(all.judgement->model) + " names it right in " +
         share_text(*all.judgement->right[i]) + " of views; the plain ascent's in " +
         share_text(*all.judgement->plain[i]) + "</p>";
}

std::string card(const Visualization& all, size_t i) {
  const Visualized& u = all.units[i];
  const std::string name = escaped(u.wanted.words);
  return "<figure" + std::string(u.dead ? " class=dead" : "") + "><img alt=\"What makes " + name +
         " strong\" src=\"" + picture_url(u.picture, all.units.size() > kMany) + "\"><figcaption><h3>" +
         name + "</h3><p class=small>" +
         (u.dead ? std::string("dead: no picture that was tried has any effect on it")
                 : minus(short_number(u.before)) + " → <b>" + minus(short_number(u.after)) + "</b>") +
         "</p>" + (u.dead ? "" : curve(u)) + judged_text(all, i) + "</figcaption></figure>\n";
}

std::string settings_line(const Visualization& all) {
  std::string out;
  for (const auto& [key, value] : all.settings.items())
    out += (out.empty() ? "" : " · ") + escaped(key) + " " +
           escaped(value.is_string() ? value.get<std::string>() : short_number(value.get<double>()));
  return out;
}

}  // namespace

std::string visualize_page(const Visualization& all, const std::vector<uint8_t>& animation) {
  const std::string title =
      all.units.size() == 1
          ? "What " + escaped(all.model) + " sees in " + escaped(all.units[0].wanted.words)
          : "What " + std::to_string(all.units.size()) + " units of " + escaped(all.model) + " look for";
  const auto dead = std::ranges::count_if(all.units, &Visualized::dead);
  const bool small = !all.units.empty() && all.units[0].picture.width < 128;
  std::string out =
      "<!doctype html>\n<!-- loupe visualize -->\n<html lang=en><head><meta charset=utf-8><meta "
      "name=viewport "
      "content=\"width=device-width\"><title>" +
      title + " · Loupe</title><style>" + style_sheet("visualize.css") + "</style></head><body class=\"" +
      (small ? "pixels" : "") + "\"><header>" + kMark + "<div><h1>" + title + "</h1><p class=soft>" +
      std::to_string(all.steps) +
      " steps of gradient ascent on the picture, from nearly grey; under each picture the "
      "unit's value at the beginning and at the end, and the way there, on pictures moved a little" +
      (dead ? "; " + std::to_string(dead) + (dead == 1 ? " unit is dead" : " units are dead") : "") +
      "</p></div></header>\n";
  if (const auto& j = all.judgement)
    out += "<p class=judge><b>" + percent(j->share(j->right)) + "</b> of jittered views are named right by " +
           escaped(j->model) + ", which had no part in it; of plain gradient ascent's <b>" +
           percent(j->share(j->plain)) + "</b></p>\n";
  out += "<main>\n";
  for (size_t i = 0; i < all.units.size(); ++i) out += card(all, i);
  out += "</main>\n";
  if (!animation.empty())
    out +=
        "<details><summary>On the way</summary><img class=way alt=\"All of the pictures, step by step\" "
        "src=\"" +
        data_url(animation) + "\"></details>\n";
  return out + "<footer class=\"small soft\"><p>" + settings_line(all) +
         "</p><p>Made by Loupe " LOUPE_VERSION ".</p></footer></body></html>\n";
}

}  // namespace loupe
