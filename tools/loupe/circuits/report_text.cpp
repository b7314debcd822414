// The report in words, for a terminal.
#include <algorithm>
#include <cstdio>

#include "tools/loupe/circuits/report.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

std::string digits(double x, int count) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", count, x);
  return text;
}

std::string names(const std::vector<Head>& heads) {
  std::vector<std::string> all;
  for (const Head& h : heads) all.push_back(h.name());
  return join(all);
}

// Of all heads the one with the largest score.
std::pair<Head, double> largest(const HeadStatistics::Scores& scores) {
  std::pair<Head, double> best{{0, 0}, -1};
  for (size_t l = 0; l < scores.size(); ++l)
    for (size_t h = 0; h < scores[l].size(); ++h)
      if (scores[l][h] > best.second)
        best = {{static_cast<int64_t>(l), static_cast<int64_t>(h)}, scores[l][h]};
  return best;
}

}  // namespace

std::string report_verdict(const CircuitReport& r) {
  const std::string fall = "the loss of a token is " + digits(r.repeats.first, 2) + " nats at first and " +
                           digits(r.repeats.repeat, 2) + " when it comes again";
  if (r.layers == 0) return "There is no induction circuit: " + r.model + " has no attention; " + fall + ".";
  if (r.induction.empty()) {
    const auto [head, score] = largest(r.repeats.heads.of(Statistic::induction));
    return "There is no induction circuit in " + r.model + ": no head gives " + digits(r.how.induction, 2) +
           " of its attention to what followed the same token before (the most is " + digits(score, 3) +
           ", " + head.name() + "); " + fall + ".";
  }
  std::vector<Head> heads;
  for (const CircuitHead& h : r.induction) heads.push_back(h.at);
  if (r.chosen < 0) {
    const auto [head, score] = largest(r.repeats.heads.of(Statistic::previous));
    return "Induction heads of " + r.model + ": " + names(heads) +
           ". No earlier head looks at the token before (the most is " + digits(score, 3) + ", " +
           head.name() + "), so there is no circuit to name; " + fall + ".";
  }
  return "The induction circuit of " + r.model + ": " + r.source().at.name() +
         " tells each token what came before it; the keys of " + names(heads) +
         " read that, find what followed the same token before, and carry it on; " + fall + ".";
}

std::string report_text(const CircuitReport& r) {
  using enum Table::Align;
  std::string out = report_verdict(r) + "\n";
  if (!r.induction.empty()) {
    Table heads({{"head"},
                 {"does"},
                 {"score", right},
                 {"OV copying", right},
                 {"with tokens", right},
                 {"QK matching", right}},
                2);
    const auto row = [&](const CircuitHead& h, const char* does) {
      heads.row({h.at.name(), does, digits(h.score, 3), digits(h.says.copying, 3),
                 digits(h.says.full_copying, 3), digits(h.says.matching, 3)});
    };
    for (const CircuitHead& h : r.induction) row(h, "induction");
    for (const CircuitHead& h : r.previous) row(h, "previous token");
    out += "\n" + heads.str();
    Table keys({{"keys of"}, {"read"}, {"K-composition", right}, {"rank", right}}, 2);
    for (size_t i = 0; i < r.keys.size(); ++i)
      for (const KeyComposition& k : r.keys[i])
        if (k.rank <= 2 || (r.chosen >= 0 && k.from == r.source().at))
          keys.row({r.induction[i].at.name(), k.from.name(), digits(k.score, 4),
                    std::to_string(k.rank) + " of " + std::to_string(k.of)});
    out += "\n" + keys.str();
  }
  Table silenced({{"silenced"}, {""}, {"loss of the second half", right}}, 2);
  for (const Ablation& a : r.ablations) silenced.row({a.what, names(a.heads), digits(a.loss, 6)});
  out += "\n" + silenced.str();
  const auto line = [](const std::string& text) { return "  " + text + "\n"; };
  out += "\n" + line("score: attention to that token, the mean over " + std::to_string(r.how.sequences) +
                     " sequences of " + std::to_string(r.how.half) + " random tokens, twice");
  if (!r.induction.empty())
    out +=
        line("OV copying, QK matching: sum of eigenvalues over that of their magnitudes, −1 to 1") +
        line("K-composition: ‖QK·OV‖ / (‖QK‖ ‖OV‖); heads that have nothing to do with each other: 1/√width");
  out += line("silenced: the heads' results are 0, on " +
              std::to_string(std::min(r.how.ablated, r.how.sequences)) + " of the sequences");
  return out;
}

}  // namespace loupe
