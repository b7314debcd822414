// Small text models of tests/fixtures/text, each with what transformers computed of it in double.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "models/io/safetensors.h"
#include "models/text/text_model.h"

namespace loupe::test {

inline const std::string kTextFixtures = LOUPE_SOURCE_DIR "/tests/fixtures/text/";

inline double largest_magnitude(const Tensor& t) {
  double most = 0;
  for (int64_t i = 0; i < t.numel(); ++i) most = std::max(most, std::abs(t.item(i)));
  return most;
}
inline double largest_difference(const Tensor& a, const Tensor& b) {
  if (a.numel() != b.numel()) return HUGE_VAL;
  double worst = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double error = std::abs(a.item(i) - b.item(i));
    worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
  }
  return worst;
}

/// How far a model on a device is from them, of the largest magnitude each.
struct TextErrors {
  double scores, patterns, gradient;
};
/// `file`: of tests/fixtures/text, "llama" or "llama.gguf"; `golden`: "llama".
inline TextErrors text_errors(const std::string& file, const std::string& golden, Device device) {
  TextModel model = load_text(kTextFixtures + file, device);
  const SafetensorsFile wanted = SafetensorsFile::open(kTextFixtures + golden + ".safetensors");
  const Tensor ids = wanted.tensor("ids");
  std::vector<Ids> sequences, types;
  for (int64_t n = 0; n < ids.shape()[0]; ++n) {
    Ids row, kinds;
    for (int64_t l = 0; l < ids.shape()[1]; ++l) {
      row.push_back(static_cast<int32_t>(ids.row(n).item(l)));
      kinds.push_back(static_cast<int32_t>(l % 2));
    }
    sequences.push_back(row);
    if (model.config.types > 0) types.push_back(kinds);
  }
  const NodeId scores = model.network.graph().output(), rows = model.node("embedding.tokens");
  Purpose purpose{.values = {scores}, .from = scores, .gradients = {rows}};
  for (int64_t l = 0; l < model.config.layers; ++l)
    purpose.values.emplace_back(model.block(l, "attention"), 1);
  const auto inputs = model.inputs(sequences, types);
  Execution& run = model.network.execution(shapes_of(inputs), purpose);
  run.forward(inputs);
  const auto relative = [](const Tensor& got, const Tensor& expected) {
    return largest_difference(got, expected) / largest_magnitude(expected);
  };
  TextErrors e{};
  e.scores = relative(run.value(scores), wanted.tensor("scores"));
  for (int64_t l = 0; l < model.config.layers; ++l)
    e.patterns =
        std::max(e.patterns, largest_difference(run.value(purpose.values[static_cast<size_t>(l + 1)]),
                                                wanted.tensor("patterns").row(l)));
  run.backward(wanted.tensor("seed"));
  e.gradient = relative(run.gradient(rows), wanted.tensor("gradient"));
  return e;
}

}  // namespace loupe::test
