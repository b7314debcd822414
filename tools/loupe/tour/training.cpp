// Where the network comes from.
#include <algorithm>
#include <cmath>

#include "tools/loupe/tour/parts.h"

namespace loupe::tour {

namespace {

using Json = nlohmann::ordered_json;

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

}  // namespace

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

}  // namespace loupe::tour
