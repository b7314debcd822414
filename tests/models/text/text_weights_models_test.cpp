// Real text models against numpy in double (../shared/oracle/language): SmolLM2-135M from GGUF and MiniLM from its
// folder. The weights are in the folder that LOUPE_TEST_MODELS names.
// ctest: LABELS big PROCESSORS 2
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/text/text_model.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::optional<fs::path> weights(const char* name) {
  const fs::path path = fs::path(std::getenv("LOUPE_TEST_MODELS")) / name;
  if (fs::exists(path)) return path;
  MESSAGE("left out: " << path.string() << " is not there");
  return std::nullopt;
}

std::optional<json> golden(const char* name) {
  std::ifstream file(std::string(LOUPE_SHARED_DIR "/golden/language/") + name + ".json");
  if (file) return json::parse(file);
  MESSAGE("left out: there is no golden of " << name);
  return std::nullopt;
}

// The largest difference of values, in order, from a golden list of any depth.
void add_difference(const json& expected, const Tensor& got, int64_t& at, double& worst) {
  if (expected.is_array()) {
    for (const json& e : expected) add_difference(e, got, at, worst);
    return;
  }
  const double error = std::abs(expected.get<double>() - got.item(at++));
  worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
}
double difference(const json& expected, const Tensor& got) {
  int64_t at = 0;
  double worst = 0;
  add_difference(expected, got, at, worst);
  CHECK(at == got.numel());
  return worst;
}

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double norm_of_last_row(const Tensor& x) {
  double sum = 0;
  const Tensor row = x.row(0).row(x.shape()[1] - 1);
  for (int64_t i = 0; i < row.numel(); ++i) sum += row.item(i) * row.item(i);
  return std::sqrt(sum);
}

struct Sequence {
  double logits, norms, first,
      repeat;  // errors of last_logits_every_997 and residual_norms (relative); losses
};

Sequence sequence_0(TextModel& model, const json& g) {
  const Ids ids = g["ids"].get<Ids>();
  Purpose purpose{.values = {model.node("logits"), model.node("embedding")}};
  for (int64_t l = 0; l < model.config.layers; ++l) purpose.values.emplace_back(model.block(l, "output"));
  const auto inputs = model.inputs({ids});
  Execution& run = model.network.execution(shapes_of(inputs), purpose);
  run.forward(inputs);
  const Tensor logits = run.value(model.node("logits")).row(0);
  Sequence s{};
  for (size_t i = 0; i < g["last_logits_every_997"].size(); ++i)
    s.logits = std::max(s.logits, std::abs(logits.row(99).item(static_cast<int64_t>(i) * 997) -
                                           g["last_logits_every_997"][i].get<double>()));
  for (size_t i = 0; i < g["residual_norms"].size(); ++i) {
    const double wanted = g["residual_norms"][i].get<double>(),
                 got = norm_of_last_row(run.value(purpose.values[i + 1]));
    s.norms = std::max(s.norms, std::abs(got - wanted) / wanted);
  }
  const std::vector<double> losses = next_token_losses(logits, ids);
  s.first = mean(std::span(losses).first(49));
  s.repeat = mean(std::span(losses).subspan(50));
  return s;
}

Ids greedy(TextModel& model, Ids ids, size_t count) {
  while (ids.size() < count) {
    const auto inputs = model.inputs({ids});
    Execution& run = model.network.execution(shapes_of(inputs), {.values = {model.node("logits")}});
    run.forward(inputs);
    ids.push_back(largest_logits(run.value(model.node("logits")).row(0)).back());
  }
  return ids;
}

}  // namespace

TEST_CASE("SmolLM2-135M from GGUF") {
  const auto path = weights("smollm2-135m.gguf");
  const auto g = golden("smollm2");
  if (!path || !g) return;
  std::vector<double> repeat;
  for (const Device device : {Device::ref(), Device::cpu()}) {
    TextModel model = load_text(*path, device);
    CHECK(model.config.layers == 30);
    CHECK(model.config.positions == 8192);
    const Sequence s = sequence_0(model, *g);
    MESSAGE(device.str() << ": logits differ by " << s.logits << ", norms by " << s.norms
                         << " of them; losses " << s.first << " → " << s.repeat);
    CHECK(s.logits <= (device == Device::ref() ? 1e-6 : 5e-4));
    CHECK(s.norms <= (device == Device::ref() ? 1e-7 : 1e-5));
    repeat.push_back(s.repeat);
    repeat.push_back(s.first);
    if (device == Device::ref()) continue;
    const Ids wanted = (*g)["greedy"]["ids"].get<Ids>();
    CHECK(greedy(model, Ids(wanted.begin(), wanted.begin() + 5), wanted.size()) == wanted);
    CHECK_THROWS_WITH_AS(model.inputs({Ids(8193, 1)}),
                         doctest::Contains("takes at most 8192 tokens at a time, got 8193"), UsageError);
    CHECK_THROWS_WITH_AS(model.inputs({{1, 49152}}),
                         doctest::Contains("token 49152 (number 1) is not one of the 49152"), UsageError);
    CHECK_THROWS_WITH_AS(model.block(30, "output"), doctest::Contains("there is no layer 30"), UsageError);
  }
  CHECK(std::abs(repeat[0] - repeat[2]) <= 2e-4);
  CHECK(std::abs(repeat[1] - repeat[3]) <= 2e-4);
}

TEST_CASE("MiniLM from its folder") {
  const auto path = weights("minilm");
  const auto g = golden("minilm");
  if (!path || !g) return;
  for (const Device device : {Device::ref(), Device::cpu()}) {
    TextModel model = load_text(*path, device);
    const Ids ids = (*g)["ids"].get<Ids>(), types = (*g)["types"].get<Ids>();
    Purpose purpose;
    for (int64_t l = 0; l < model.config.layers; ++l)
      purpose.values.emplace_back(model.block(l, "attention"), 1);
    purpose.values.emplace_back(model.node("blocks.5.output"));
    const std::vector<Ids> sequences{ids, {101, 1996, 102}},
        kinds{types, {0, 0, 0}};  // the second is filled up
    const auto inputs = model.inputs(sequences, kinds);
    Execution& run = model.network.execution(shapes_of(inputs), purpose);
    run.forward(inputs);
    double patterns = 0;
    for (size_t l = 0; l < 6; ++l) {
      const Tensor pattern = run.value(purpose.values[l]);
      patterns = std::max(patterns, difference((*g)["patterns"][l], pattern.row(0)));
      CHECK(pattern.row(1).row(0).row(0).item(3) == 0);  // nobody sees what fills up
    }
    const double hidden = difference((*g)["last_hidden"], run.value(purpose.values[6]).row(0));
    MESSAGE(device.str() << ": patterns differ by " << patterns << ", the last hidden states by " << hidden);
    CHECK(patterns <= (device == Device::ref() ? 1e-8 : 1e-5));
    CHECK(hidden <= (device == Device::ref() ? 1e-8 : 1e-4));
  }
}

}  // namespace loupe
