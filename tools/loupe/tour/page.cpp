// The page of `loupe tour`: one file that needs nothing but itself; there is no script. What it says comes
// from the run alone.
#include "engine/image/image.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/tour/parts.h"

namespace loupe {
namespace tour {
namespace {

std::string fact(const std::string& number, const std::string& words) {
  return "<div><b>" + number + "</b><span class=\"small soft\">" + words + "</span></div>";
}

std::string opening(const Tour& tour) {
  const Scores& s = tour.scores;
  std::string out =
      "<header>" + std::string(kMark) +
      "<div><h1>What does a network look at?</h1></div></header>\n"
      "<p class=lead>Loupe drew the pictures on this page a moment ago. A small network, which Loupe trained "
      "on drawings like them, says what each one is. Then " +
      several(std::ssize(tour.alone[0].asked[0].maps), "method", "methods") +
      " of explanation each mark the pixels that made it say so. Because the pictures are drawn, it is known "
      "which pixels are the animal: the explanations can be right or wrong, and here you see "
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
      "and the background says nothing about who stands before it. Things that lie about or hide a part "
      "belong to the game.</p><div class=strip>";
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
           {"atlas --zoo 1400 --layers features.10 --out atlas", "what each unit of a layer sees"},
           {"dream zoo/000003.png --class goose --out dream.png", "a network shown more of what it sees"},
           {"lesson deconv", "a convolution as a matrix, and what its transpose undoes"},
           {"circuits report --model induction2 --half 24", "the induction circuit, in numbers"},
           {"train induction", "the step at which such heads form"},
           {"evaluate --count 1000", "the table above, with smaller errors"},
           {"train zoo", "the network again, from nothing"},
           {"plan --rule gradient", "which kernels run, and what they leave in memory"}})
    out += padded("./loupe " + command, 59) + "<span class=soft># " + what + "</span>\n";
  return out +
         "</pre><p class=text>For a network and photographs of your own, see <code>./loupe explain "
         "--help</code>. <code>tools/check</code> builds and runs the tests.</p></section>\n";
}

std::string page(const Tour& tour) {
  std::string out =
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width\"><title>What does a network look at? · Loupe</title><style>";
  out += style_sheet("tour.css") + std::string(embedded("drawing.css"));
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
         units(tour) + tokens(tour) + scores(tour) + training(tour) + next(tour);
  const Scores& s = tour.scores;
  return out + "<footer class=\"small soft\"><p>Made by Loupe " LOUPE_VERSION " on " + escaped(s.device) +
         ", from the set " + std::to_string(s.seed) +
         " of drawings: the same command makes the same pictures, maps and scores. A map is said to point at "
         "what its strongest pixel lies on, or misses by at most " +
         short_number(s.settings.tolerance) + " of 64 pixels; at a part, by " +
         short_number(s.settings.part_tolerance) +
         ". Maps explain the score of a class before softmax.</p></footer></body></html>\n";
}

}  // namespace
}  // namespace tour

std::string tour_page(const Tour& all) { return tour::page(all); }

}  // namespace loupe
