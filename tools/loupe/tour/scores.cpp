// How often each method is right.
#include "tools/loupe/tour/parts.h"

namespace loupe::tour {

namespace {

// "8 pictures"
std::string pictures(int64_t n) { return several(n, "picture", "pictures"); }

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

}  // namespace

std::string scores(const Tour& tour) {
  const Scores& s = tour.scores;
  std::string out =
      "<section><h2>How often is each right?</h2><p class=text>A few pictures are anecdotes. So every method "
      "was asked about " +
      pictures(s.count) + " of the zoo, of which the network names " + percent(s.evaluation.right.mean()) +
      " right, and scored by what is true. The two baselines look at nothing: <i>centre</i> always points at "
      "the middle, where pictures tend to have their object, <i>random</i> anywhere. A method that does not "
      "beat them has shown nothing.</p>\n<div class=wide><table><thead><tr><th>method</th>";
  bool any_poor = false;
  for (const Metric* m : s.evaluation.metrics)
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
  for (const Metric* m : s.evaluation.metrics)
    out += "<dt>" + escaped(m->heading) + "</dt><dd>" + escaped(m->summary) +
           (m->passes_below ? "; passes below " + short_number(*m->passes_below) : "") + " (" +
           escaped(m->source) + ")</dd>";
  out += "<dt>ms</dt><dd>milliseconds for one map on " + escaped(s.device) + ", " +
         several(s.threads, "thread", "threads") + ", the median</dd></dl></details>";
  std::vector<std::string> alone, together;
  for (const Metric* m : s.evaluation.metrics)
    if (m->costly) (m->objects == 1 ? alone : together).push_back("<i>" + escaped(m->heading) + "</i>");
  return out + "<p class=\"small soft\">To be quick, " + join(alone) + " are of the first " +
         several(s.costly, "picture", "pictures") + " alone, and " + join(together) + " of " +
         with_commas(s.costly) +
         " with two of the zoo; <code>loupe evaluate</code> takes its time.</p></section>\n";
}

}  // namespace loupe::tour
