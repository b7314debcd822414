// `loupe circuits report`: the induction circuit of a text model, found by what its heads look at and by their weights,
// and proved by silencing them.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/lenses/circuits.h"
#include "models/text/repeats.h"

namespace loupe {

struct ReportChoice {
  int64_t sequences = 10, half = 50;     // of repeats
  int64_t ablated = 3;                   // sequences, of those, on which heads are silenced
  double induction = .6, previous = .5;  // the least score that makes a head one of these
  std::vector<Head> ablate = {};         // silenced besides, each alone
};

/// A head of the circuit.
struct CircuitHead {
  Head at;
  double score;           // induction or previous
  EigenvalueScores says;  // of its weights
};
/// What an induction head reads of an earlier one by its keys.
struct KeyComposition {
  Head from;
  double score;
  int64_t rank;  // of `of` earlier heads, 1 the strongest
  int64_t of;
};
struct Ablation {
  std::string what;  // for people
  std::vector<Head> heads;
  double loss;
};

struct CircuitReport {
  std::string model;
  ReportChoice how;
  int64_t layers = 0, heads = 0;
  Repeats repeats;
  std::vector<EigenvalueScores> says = {};  // of all heads, layer by layer
  std::vector<CircuitHead> induction = {};  // the strongest first
  std::vector<CircuitHead> previous = {};   // that lie before the last induction head
  std::vector<std::vector<KeyComposition>> keys =
      {};           // of each induction head: the five strongest, and those of `previous`
  int chosen = -1;  // of `previous`: the head that the induction heads read most, −1 without
  std::vector<Ablation> ablations = {};
  double seconds = 0;

  bool found() const { return !induction.empty() && chosen >= 0; }
  const CircuitHead& source() const { return previous.at(static_cast<size_t>(chosen)); }
};

/// Called with the part that is done.
using ReportWatch = std::function<void(const std::string& what, double part)>;
/// Throws UsageError, one line, for a head that is not there and for a model that predicts no tokens.
CircuitReport circuit_report(TextModel& model, const ReportChoice& how, const ReportWatch& watch);

nlohmann::ordered_json report_json(const CircuitReport& r);
/// For a terminal.
std::string report_text(const CircuitReport& r);
/// circuits.html, which needs nothing but itself.
std::string report_page(const CircuitReport& r);
/// The circuit over the tokens … A B … A, as an SVG of the page's colours; of one that was found.
std::string circuit_drawing(const CircuitReport& r);
/// What it comes to, a sentence or two.
std::string report_verdict(const CircuitReport& r);

}  // namespace loupe
