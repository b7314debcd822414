// A model of tokens, opened: two layers of attention, and how they remember.
#include "tools/loupe/tour/parts.h"

namespace loupe::tour {

namespace {

std::string nats(double x) {
  char text[48];
  std::snprintf(text, sizeof text, "%.2f", x);
  return text;
}

}  // namespace

std::string tokens(const Tour& tour) {
  if (!tour.induction) return "";
  const CircuitReport& r = *tour.induction;
  const std::string out =
      "<section><h2>How does a model of tokens remember?</h2><p class=text>"
      "A transformer of two layers of attention and nothing else, which Loupe trained, reads random tokens, "
      "and "
      "then the same again. At first nothing tells what comes next: a token costs it " +
      nats(r.repeats.first) + " nats. When it comes again, " + nats(r.repeats.repeat) + ".</p>";
  if (!r.found()) return out + "<p class=text>" + escaped(report_verdict(r)) + "</p></section>\n";
  const Ablation& without = r.ablations.at(1);
  return out + "<div class=drawn>" + circuit_drawing(r) +
         "</div><p class=text>A head of the first layer tells each token what stood before it. Those of the "
         "second "
         "find, by that note, where the present token stood, and raise what followed it (induction heads). "
         "With " +
         without.heads.at(0).name() + " silenced, a token that comes again costs " + nats(without.loss) +
         " nats.</p></section>\n";
}

}  // namespace loupe::tour
