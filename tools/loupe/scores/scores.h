// What is known at the end of one run of `loupe evaluate`, and how it is told.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/exam/cascade.h"
#include "engine/exam/evaluate.h"
#include "tools/loupe/method_options.h"

namespace loupe {

struct Scores {
  std::string model, weights, device;  // weights: empty for those built in
  int threads = 1;
  int64_t count = 0, costly = 0;  // pictures; and of those, for costly metrics
  uint64_t seed = 0;
  MetricSettings settings = {};
  std::vector<std::string> labels = {};  // of the classes
  std::vector<Skipped> skipped = {};
  Evaluation evaluation = {};
  std::vector<CascadeStep> cascade = {};  // of the contestants in the order of the standings; empty: not done
  std::vector<std::string> files = {};    // that were written
  double seconds = 0;
};

/// For a terminal: the table, how to read it, what was left out.
std::string scores_text(const Scores&);
/// For programs: every mean with its standard error and count, and every definition.
nlohmann::ordered_json scores_json(const Scores&);
/// A picture (SVG) that needs nothing but itself, alone or inline in a page: one panel a metric, one row a
/// method, baselines as lines. In a page it takes that page's colours --text, --soft, --line, --card and
/// --accent.
std::string scores_plot(const Scores&);

}  // namespace loupe
