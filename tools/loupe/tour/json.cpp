#include "tools/loupe/tour/tour.h"

namespace loupe {
namespace {

using Json = nlohmann::ordered_json;

Json verdict(const Verdict& v) {
  return {{"class", v.index}, {"label", v.label}, {"score", v.score}, {"probability", v.probability}};
}

Json picture(const TourPicture& p, uint64_t seed) {
  Json top = Json::array(), asked = Json::array();
  for (size_t i = 0; i < std::min<size_t>(3, p.ranking.size()); ++i) top.push_back(verdict(p.ranking[i]));
  for (const AskedFor& a : p.asked) {
    Json one = verdict(a.verdict);
    for (const Shown& shown : a.maps) {
      Json map{{"method", shown.method->name}};
      if (const auto& at = shown.pointed) {
        map["strongest"] = {at->y, at->x};
        map["own"] = at->own;
        map["other"] = at->other;
        map["hit"] = at->hit();
        map["part"] = at->part.empty() ? Json() : Json(at->part);
      }
      one["maps"].push_back(map);
    }
    asked.push_back(one);
  }
  return {{"seed", seed},
          {"index", p.index},
          {"background", zoo::background_name(p.drawing.background)},
          {"top", top},
          {"asked", asked}};
}

}  // namespace

Json tour_json(const Tour& tour) {
  Json alone = Json::array(), together = Json::array();
  for (const TourPicture& p : tour.alone) alone.push_back(picture(p, tour.scores.seed));
  for (const TourPicture& p : tour.together) together.push_back(picture(p, tour.scores.seed));
  Json curve = Json::array();
  for (const CurvePoint& p : tour.curve)
    curve.push_back({{"step", p.step}, {"loss", p.loss}, {"accuracy", p.accuracy}});
  Json units = Json::array(), classes = Json::array();
  for (const TourUnit& u : tour.units)
    units.push_back({{"layer", u.layer}, {"channel", u.channel}, {"class", u.cls}, {"of_class", u.of_class}});
  for (const TourClass& c : tour.classes)
    classes.push_back({{"class", c.cls}, {"before", c.before}, {"after", c.after}});
  return {{"loupe", LOUPE_VERSION},
          {"model", tour.scores.model},
          {"parameters", tour.parameters},
          {"training", tour.record},
          {"curve", curve},
          {"alone", alone},
          {"together", together},
          {"classes", classes},
          {"units", units},
          {"searched", tour.searched},
          {"induction", tour.induction ? report_json(*tour.induction) : Json(nullptr)},
          {"scores", scores_json(tour.scores)},
          {"report", tour.report},
          {"seconds", tour.seconds}};
}

}  // namespace loupe
