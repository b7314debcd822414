// The circuits of SmolLM2-135M against numpy in double (../shared/oracle/language/make_smollm2_golden.py).
// ctest: LABELS big PROCESSORS 2
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/text/head_factors.h"
#include "models/text/repeats.h"

namespace loupe {
namespace {

using nlohmann::json;

struct Smollm2 {
  std::filesystem::path path = std::filesystem::path(std::getenv("LOUPE_TEST_MODELS")) / "smollm2-135m.gguf";
  json golden = {};
  bool there = false;
  Smollm2() {
    std::ifstream file(LOUPE_SHARED_DIR "/golden/language/smollm2.json");
    there = file && std::filesystem::exists(path);
    if (there)
      golden = json::parse(file);
    else
      MESSAGE("left out: there is no " << path.string() << ", or no golden of it");
  }
};

double difference(const json& wanted, const HeadStatistics::Scores& got) {
  double worst = 0;
  for (size_t l = 0; l < got.size(); ++l)
    for (size_t h = 0; h < got[l].size(); ++h)
      worst = std::max(worst, std::abs(wanted.at(l).at(h).get<double>() - got[l][h]));
  return worst;
}

}  // namespace

TEST_CASE("SmolLM2: losses, scores of all heads, and what silencing does") {
  const Smollm2 s;
  if (!s.there) return;
  TextModel model = load_text(s.path, Device::cpu());
  const Repeats r = measure_repeats(model, 10, 50);
  CHECK(std::abs(r.first - s.golden["loss_first_half"].get<double>()) < 2e-4);
  CHECK(std::abs(r.repeat - s.golden["loss_repeat"].get<double>()) < 2e-4);
  CHECK(difference(s.golden["induction"], r.heads.of(Statistic::induction)) < 1e-4);
  CHECK(difference(s.golden["previous"], r.heads.of(Statistic::previous)) < 1e-4);
  CHECK(difference(s.golden["duplicate"], r.heads.of(Statistic::duplicate)) < 1e-4);
  CHECK(difference(s.golden["first"], r.heads.of(Statistic::first)) < 1e-4);

  const std::vector<std::vector<Head>> silenced{
      {}, {{18, 6}}, {{17, 3}, {17, 4}, {17, 5}, {18, 6}, {18, 7}}, {{16, 0}}, {{3, 0}}};
  const std::vector<double> losses = ablated_losses(model, 3, 50, silenced);
  for (size_t i = 0; i < silenced.size(); ++i) {
    std::string name;
    for (const Head& h : silenced[i]) name += (name.empty() ? "" : ",") + h.name();
    if (name.empty()) name = "none";
    const double wanted = s.golden["zero_ablation_repeat_loss_first_3_sequences"].at(name);
    CHECK_MESSAGE(std::abs(losses[i] - wanted) < 1e-3, name << ": " << losses[i] << ", not " << wanted);
  }
}

TEST_CASE("SmolLM2: eigenvalues and compositions") {
  const Smollm2 s;
  if (!s.there) return;
  const TextModel model = load_text(s.path, Device::cpu());
  const auto heads = all_head_factors(model);
  const VocabularyProducts tokens = vocabulary_products(embedding_table(model), unembedding_table(model));
  double copying = 0, full = 0;
  for (size_t i = 0; i < heads.size(); ++i) {
    const EigenvalueScores e = eigenvalue_scores(heads[i], tokens);
    copying =
        std::max(copying, std::abs(e.copying - s.golden["ov_eigen_copying"][i / 9][i % 9].get<double>()));
    full = std::max(full, std::abs(e.full_copying -
                                   s.golden["full_ov_circuit_eigen_copying"][i / 9][i % 9].get<double>()));
  }
  MESSAGE("copying differs by " << copying << ", through the vocabulary by " << full);
  CHECK(copying < 1e-5);
  CHECK(full < 1e-5);
  const Compositions compositions(heads);
  for (const auto& [into, rows] : s.golden["k_composition"].items()) {
    const Head to = parse_head(into.substr(5));
    for (const auto& [from, wanted] : rows.items()) {
      const Head at = parse_head(from);
      const double got = compositions.score(Composition::key, static_cast<size_t>(at.layer * 9 + at.head),
                                            static_cast<size_t>(to.layer * 9 + to.head));
      CHECK(std::abs(got - wanted.get<double>()) < 1e-5);
    }
  }
}

}  // namespace loupe
