// Small multiples: every panel has the same rows, so that an eye that goes across follows one method, and one
// that goes down compares all by one metric.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tools/loupe/scores/scores.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

// Each colour twice: the page's, and for renderers that know no variables.
constexpr const char* kStyle = R"css(
.scores { max-width: 100%; height: auto; }
.scores text { font: 12px system-ui, sans-serif; fill: #1d1c1a; fill: var(--text, #1d1c1a); }
.scores .head { font-weight: 650; font-size: 13px; }
.scores .soft { font-size: 11px; fill: #6d6a64; fill: var(--soft, #6d6a64); }
.scores .small { font-size: 11px; }
.scores .value { font-size: 11px; text-anchor: end; font-variant-numeric: tabular-nums; }
.scores .card { fill: #fff; fill: var(--card, #fff); }
.scores .grid { stroke: #e3e0d9; stroke: var(--line, #e3e0d9); }
.scores .out { fill: #e3e0d9; fill: var(--line, #e3e0d9); opacity: .45; }
.scores .base { stroke: #6d6a64; stroke: var(--soft, #6d6a64); stroke-width: 1.3; }
.scores .good { fill: #b5462f; fill: var(--accent, #b5462f); stroke: #b5462f; stroke: var(--accent, #b5462f); }
.scores .poor { fill: #fff; fill: var(--card, #fff); stroke: #6d6a64; stroke: var(--soft, #6d6a64); }
.scores .plain { fill: #6d6a64; fill: var(--soft, #6d6a64); stroke: #6d6a64; stroke: var(--soft, #6d6a64); }
.scores .cell { fill: #b5462f; fill: var(--accent, #b5462f); }
.scores .dot { stroke-width: 1.8; }
.scores .error { stroke-width: 1.8; opacity: .45; }
)css";

constexpr double kMargin = 16, kTop = 58, kLabels = 150, kPanel = 176, kGap = 20, kValue = 40, kHead = 40,
                 kRow = 22, kFoot = 34;
constexpr size_t kColumns = 5;

template <typename... Args>
std::string format(const char* pattern, Args... args) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

std::string words(double x, double y, const char* kind, std::string_view text, const char* more = "") {
  return format("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\"%s>", x, y, kind, more) + escaped(text) +
         "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const char* kind, const char* more = "") {
  return format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"%s/>\n", x1, y1, x2, y2,
                kind, more);
}

// A dot; `tip` shows when a pointer rests on it.
std::string dot(double x, double y, const char* kind, const std::string& tip) {
  return format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.2\" class=\"dot %s\"><title>", x, y, kind) +
         escaped(tip) + "</title></circle>\n";
}

constexpr const char* kDashes = " stroke-dasharray=\"3 3\"";
// The first baseline's line is whole, the next one's dashed.
const char* dashes(size_t baseline) { return baseline ? kDashes : ""; }

struct Point {
  std::string name;
  double value = 0, error = 0;
  bool known = true, baseline = false;
  const char* kind = "plain";  // or good, or poor
  std::string text = {}, tip = {};
};

struct Panel {
  std::string title, direction, summary;
  double low = 0, high = 1;
  std::vector<std::pair<double, std::string>> ticks = {{0, "0"}, {0.5, "0.5"}, {1, "1"}};
  std::optional<double> limit = {};  // what lies beyond has failed
  std::vector<Point> points = {};    // one a method, in the order of the table
};

Panel metric_panel(const Scores& s, size_t index) {
  const Metric& m = *s.evaluation.metrics[index];
  const bool higher = m.better == Metric::Better::higher;
  Panel panel{.title = std::string(m.heading),
              .direction = higher ? "higher is better →" : "← lower is better",
              .summary = std::string(m.summary)};
  panel.limit = m.passes_below;
  if (m.passes_below) panel.direction = "passes below " + short_number(*m.passes_below);
  for (const Standing& standing : s.evaluation.standings) {
    const Verdicts& v = standing.verdicts[index];
    const double mean = v.tally.mean(), error = v.tally.standard_error();
    const bool good = m.passes_below ? mean < *m.passes_below : v.beats_baselines != false;
    panel.low = std::min(panel.low, std::floor(5 * (mean - error)) / 5);
    panel.high = std::max(panel.high, std::ceil(mean + error));
    panel.points.push_back({.name = std::string(standing.contestant.method->name),
                            .value = mean,
                            .error = error,
                            .known = v.tally.count() > 0,
                            .baseline = standing.contestant.baseline,
                            .kind = m.descriptive ? "plain"
                                    : good        ? "good"
                                                  : "poor",
                            .text = format("%.3f", mean),
                            .tip = format(": %.3f ± %.3f, of ", mean, error) + with_commas(v.tally.count())});
  }
  if (panel.high > 1)
    panel.ticks = {
        {0, "0"}, {panel.high / 2, short_number(panel.high / 2)}, {panel.high, short_number(panel.high)}};
  return panel;
}

// Of logarithms of milliseconds.
Panel time_panel(const Scores& s) {
  Panel panel{.title = "ms", .direction = "for one map", .summary = "milliseconds for one map, the median"};
  panel.low = 1e300, panel.high = -1e300;
  for (const Standing& standing : s.evaluation.standings) {
    const double ms = std::max(standing.seconds * 1e3, 1e-3);
    const std::string text = format(ms < 9.95 ? "%.1f" : "%.0f", ms);
    panel.points.push_back({.name = std::string(standing.contestant.method->name),
                            .value = std::log10(ms),
                            .baseline = standing.contestant.baseline,
                            .text = text,
                            .tip = ": " + text + " ms"});
    if (standing.contestant.baseline) continue;
    panel.low = std::min(panel.low, std::floor(std::log10(ms)));
    panel.high = std::max(panel.high, std::ceil(std::log10(ms)));
  }
  if (!(panel.low < panel.high)) panel.high = panel.low + 1;
  panel.ticks.clear();
  for (double t = panel.low; t <= panel.high; ++t) panel.ticks.push_back({t, short_number(std::pow(10, t))});
  return panel;
}

std::string draw(const Panel& p, double left, double top) {
  const double width = kPanel - kValue;
  const auto x_of = [&](double value) {
    return left + width * (std::clamp(value, p.low, p.high) - p.low) / (p.high - p.low);
  };
  size_t rows = 0;
  for (const Point& point : p.points) rows += !point.baseline;
  const double first = top + kHead, last = first + kRow * static_cast<double>(rows);

  std::string out = "<g><title>" + escaped(p.summary) + "</title>\n" +
                    words(left, top + 12, "head", p.title) + words(left, top + 27, "soft", p.direction) +
                    "</g>\n";
  if (p.limit)
    out += format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"out\"/>\n",
                  x_of(*p.limit), first, left + width - x_of(*p.limit), last - first);
  for (const auto& [value, text] : p.ticks) {
    out += line(x_of(value), first, x_of(value), last, "grid");
    out += words(x_of(value), last + 14, "soft", text, " text-anchor=\"middle\"");
  }
  for (size_t i = 0, baseline = 0; i < p.points.size(); ++i) {
    const Point& b = p.points[i];
    if (!b.baseline || !b.known || p.limit || p.title == "ms") continue;
    out += line(x_of(b.value), first, x_of(b.value), last, "base", dashes(baseline++));
  }
  double y = first + kRow / 2;
  for (const Point& point : p.points) {
    if (point.baseline) continue;
    if (point.known) {
      if (point.error > 0)
        out += line(x_of(point.value - point.error), y, x_of(point.value + point.error), y,
                    (std::string("error ") + point.kind).c_str());
      out += dot(x_of(point.value), y, point.kind, point.name + point.tip);
      out += words(left + kPanel, y + 4, "value", point.text);
    }
    y += kRow;
  }
  return out;
}

// The names of the methods, between lines across the picture.
std::string row_names(const Scores& s, double top, double width) {
  std::string out = line(kMargin, top, width - kMargin, top, "grid");
  for (const Standing& standing : s.evaluation.standings) {
    if (standing.contestant.baseline) continue;
    out += words(kMargin, top + kRow / 2 + 4, "name", standing.contestant.method->name);
    top += kRow;
    out += line(kMargin, top, width - kMargin, top, "grid");
  }
  return out;
}

// A cell a method and layer, the redder the more alike the maps stay.
std::string draw_cascade(const Scores& s, double top) {
  const double left = kMargin + kLabels, first = top + kHead,
               width = (kColumns * (kPanel + kGap) - kGap) / static_cast<double>(s.cascade.size());
  std::string out = words(left, top + 12, "head", "how alike maps stay while the network forgets") +
                    words(left, top + 27, "soft",
                          "rank correlation with the map of the network whose layers from the output to the "
                          "named one are untrained");
  double x = left;
  for (const CascadeStep& step : s.cascade) {
    double y = first;
    for (size_t c = 0; c < s.evaluation.standings.size(); ++c) {
      const Contestant& contestant = s.evaluation.standings[c].contestant;
      if (contestant.baseline) continue;
      const double mean = step.similarity[c].mean();
      out += format(
                 "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"cell\" "
                 "fill-opacity=\"%.2f\"><title>",
                 x + 1, y + 1, width - 2, kRow - 2, 0.75 * std::clamp(mean, 0.0, 1.0)) +
             escaped(std::string(contestant.method->name) + ", untrained to " + step.layer +
                     format(": %.3f ± %.3f", mean, step.similarity[c].standard_error())) +
             "</title></rect>\n" +
             words(x + width / 2, y + kRow / 2 + 4, "small", format("%.2f", mean), " text-anchor=\"middle\"");
      y += kRow;
    }
    out += words(x + width / 2, y + 14, "soft", step.layer, " text-anchor=\"middle\"");
    x += width;
  }
  return out;
}

std::string legend(const Scores& s) {
  double x = kMargin;
  const double y = 42;
  std::string out;
  const auto entry = [&](const std::string& mark, double width, const std::string& text) {
    out += mark + words(x + width, y, "soft", text);
    x += width + 6.2 * static_cast<double>(columns(text)) + 22;
  };
  entry(dot(x + 5, y - 4, "good", "good"), 15, "better than both baselines, or passes");
  entry(dot(x + 5, y - 4, "poor", "poor"), 15, "not");
  size_t baseline = 0;
  for (const Standing& standing : s.evaluation.standings)
    if (standing.contestant.baseline)
      entry(line(x + 5, y - 11, x + 5, y + 3, "base", dashes(baseline++)), 13,
            std::string(standing.contestant.method->name) + " baseline");
  entry(line(x, y - 4, x + 18, y - 4, "error good"), 24, "standard error");
  return out;
}

}  // namespace

std::string scores_plot(const Scores& s) {
  std::vector<Panel> panels;
  for (size_t i = 0; i < s.evaluation.metrics.size(); ++i) panels.push_back(metric_panel(s, i));
  panels.push_back(time_panel(s));

  size_t rows = 0;
  for (const Point& p : panels[0].points) rows += !p.baseline;
  const double band = kHead + kRow * static_cast<double>(rows) + kFoot;
  const size_t bands = (panels.size() + kColumns - 1) / kColumns;
  const double width = 2 * kMargin + kLabels + kColumns * (kPanel + kGap) - kGap,
               height = kTop + band * static_cast<double>(bands + !s.cascade.empty()) + 4;

  std::string out =
      format(
          "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"scores\" viewBox=\"0 0 %.0f %.0f\" "
          "width=\"%.0f\" "
          "height=\"%.0f\" role=\"img\" aria-label=\"Scores of the methods\">\n<style>",
          width, height, width, height) +
      kStyle + "</style>\n" +
      format("<rect width=\"%.0f\" height=\"%.0f\" rx=\"12\" class=\"card\"/>\n", width, height);
  out += words(kMargin, 24, "head",
               "How well each method explains the network " + s.model + ", on " + with_commas(s.count) +
                   (s.count == 1 ? " drawn picture" : " drawn pictures") + " whose truth is known");
  out += legend(s);
  for (size_t b = 0; b < bands; ++b) {
    const double top = kTop + band * static_cast<double>(b);
    out += row_names(s, top + kHead, width);
    for (size_t i = b * kColumns; i < std::min(panels.size(), (b + 1) * kColumns); ++i)
      out += draw(panels[i], kMargin + kLabels + static_cast<double>(i % kColumns) * (kPanel + kGap), top);
  }
  if (!s.cascade.empty()) {
    const double top = kTop + band * static_cast<double>(bands);
    out += row_names(s, top + kHead, width) + draw_cascade(s, top);
  }
  return out + "</svg>\n";
}

}  // namespace loupe
