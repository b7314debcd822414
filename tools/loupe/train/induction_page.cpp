// induction.html: curves and patterns are drawn by the page from the scores of every checkpoint.
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/image/image.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"
#include "tools/loupe/train/induction.h"

namespace loupe {
namespace {

using Json = nlohmann::ordered_json;

double short_real(double x) { return std::round(x * 1e4) / 1e4; }

// The last checkpoint at which the head that became the best did not yet match prefixes: half the criterion.
size_t before(const std::vector<InductionScores>& scores, size_t head) {
  size_t last = 0;
  while (last + 1 < scores.size() && scores[last + 1].heads[head].prefix_matching < kLeastMatching / 2)
    ++last;
  return last + 1 == scores.size() ? 0 : last;
}

Json pattern_of(const InductionScores& s, size_t head) {
  constexpr size_t kCells = InductionScores::kShown * InductionScores::kShown;
  return {{"step", s.step},
          {"matching", short_real(s.heads[head].prefix_matching)},
          {"cells", base64(std::span(s.patterns).subspan(head * kCells, kCells))}};
}

Json data_of(const InductionRun& run) {
  const InductionScores& last = run.scores.back();
  const std::optional<int64_t> formed = formed_at(run.scores);
  Json all{{"name", run_name(run)},
           {"layers", run.layers},
           {"seed", run.seed},
           {"formed", formed ? Json(*formed) : Json()}};
  for (const InductionScores& s : run.scores) {
    all["step"].push_back(s.step);
    all["loss"].push_back(short_real(s.loss));
    all["context"].push_back(short_real(s.in_context));
    all["first"].push_back(short_real(s.first));
    all["second"].push_back(short_real(s.second));
  }
  all["heads"] = Json::array();
  for (size_t h = 0; h < last.heads.size(); ++h) {
    Json head{{"name", last.heads[h].name()}, {"layer", last.heads[h].layer}};
    for (const InductionScores& s : run.scores) {
      head["matching"].push_back(short_real(s.heads[h].prefix_matching));
      head["previous"].push_back(short_real(s.heads[h].previous_token));
      head["copying"].push_back(short_real(s.heads[h].copying));
    }
    all["heads"].push_back(head);
  }
  if (const HeadScores* best = last.best()) {
    const auto h = static_cast<size_t>(best - last.heads.data());
    all["best"] = h;
    all["patterns"] = {pattern_of(run.scores[before(run.scores, h)], h), pattern_of(last, h)};
  }
  return all;
}

std::string outcome(const std::vector<InductionRun>& runs) {
  std::string rows;
  for (const InductionRun& run : runs) {
    const InductionScores& s = run.scores.back();
    const std::optional<int64_t> formed = formed_at(run.scores);
    const auto cell = [](const std::string& text) { return "<td>" + text + "</td>"; };
    rows += "<tr><th scope=row><a href=\"#layers" + std::to_string(run.layers) + "\">" + run_name(run) +
            "</a></th>" + cell(formed ? "<b>step " + with_commas(*formed) + "</b>" : "never") +
            cell(s.best() ? s.best()->name() : "no head") +
            cell(s.best() ? short_number(std::round(1e3 * s.best()->prefix_matching) / 1e3) : "") +
            cell(s.best() ? short_number(std::round(1e3 * s.best()->copying) / 1e3) : "") +
            cell(short_number(std::round(1e3 * s.first) / 1e3) + " → " +
                 short_number(std::round(1e3 * s.second) / 1e3)) +
            cell(short_number(std::round(1e3 * s.in_context) / 1e3)) + "</tr>\n";
  }
  return "<div class=wide><table><thead><tr><th>Model<th>Induction heads<th>Best head<th>Prefix "
         "matching<th>Copying"
         "<th>Repeats, first → second half (nats)<th>In-context score</tr></thead><tbody>\n" +
         rows + "</tbody></table></div>";
}

std::string explanation(const InductionTraining& s) {
  const auto [late, early] = late_and_early(s.length);
  return "<p class=text>Attention-only models learn to say the next token of " + std::to_string(s.length) +
         "-token sequences: three in four are random tokens that repeat themselves, the rest is text. Which "
         "token comes next in a repeat is known to whoever finds where this one stood before, and says what "
         "came "
         "behind it. Heads that do so are <b>induction heads</b>. They take a second layer, since a head of "
         "the "
         "layer before must first write into each token which one stands before it.</p>"
         "<p class=text>A model <b>has induction heads</b> where a head’s prefix-matching score is at "
         "least " +
         short_number(kLeastMatching) + " and the second half of held-out repeats costs at least " +
         short_number(kLeastGain) +
         " nat a token less than the first. This was set beforehand. The <b>in-context score</b> is the loss "
         "at token " +
         std::to_string(late) + " less that at token " + std::to_string(early) +
         ", on held-out sequences (Olsson et al. compare tokens 500 and 50 of 512). <b>Prefix matching</b> "
         "is a head’s "
         "mean attention from a token of the second half to the one behind its first occurrence; "
         "<b>copying</b> the sum "
         "of the eigenvalues of its OV circuit through the vocabulary over the sum of their sizes, from −1 "
         "to 1.</p>";
}

}  // namespace

std::string induction_page(const InductionTraining& s, const std::vector<InductionRun>& runs) {
  Json data{{"shown", InductionScores::kShown}, {"least", kLeastMatching}, {"runs", Json::array()}};
  for (const InductionRun& run : runs) data["runs"].push_back(data_of(run));
  return "<!doctype html>\n<!-- loupe train induction -->\n<html lang=en><head><meta charset=utf-8><meta "
         "name=viewport "
         "content=\"width=device-width\"><title>Induction heads appear · Loupe</title><style>" +
         style_sheet("induction.css") + "</style></head><body><header>" + std::string(kMark) +
         "<div><h1>Induction heads appear</h1><p class=soft><code>" + escaped(s.command) +
         "</code></p></div></header>\n" + explanation(s) + outcome(runs) +
         "\n<main id=runs></main>\n<noscript><p>The curves need JavaScript; their numbers are in "
         "scores.jsonl of each "
         "model.</p></noscript><footer class=\"small soft\"><p>Olsson et al. 2022, “In-context Learning and "
         "Induction "
         "Heads”; Elhage et al. 2021, “A Mathematical Framework for Transformer Circuits”. Made by "
         "Loupe " LOUPE_VERSION ".</p></footer>\n<script type=application/json id=data>" +
         script_json(data) + "</script>\n<script>" + std::string(embedded("induction.js")) +
         "</script></body></html>\n";
}

}  // namespace loupe
