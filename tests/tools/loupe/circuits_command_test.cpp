// `loupe circuits`: on attention-only models with weights made here, and what it refuses.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/training/initial_weights.h"
#include "models/text/text_file.h"
#include "models/text/text_model.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;

Said circuits(std::vector<std::string> words) {
  words.insert(words.begin(), "circuits");
  return loupe(words);
}

std::string write_model(const Folder& folder, int64_t layers) {
  const TextConfig config = attention_only(layers, 200, 64, 32, 4);
  const std::string path = folder / (std::to_string(layers) + ".safetensors");
  write_text_model(path, config, initial_weights(text_graph(config), 7));
  return path;
}

}  // namespace

TEST_CASE("circuits report: where there is no circuit it says so, with every head's scores") {
  const Folder folder;
  for (const int64_t layers : {0, 1, 2}) {
    const std::string weights = write_model(folder, layers), out = folder / ("out" + std::to_string(layers));
    const Said said = circuits(
        {"report", "--weights", weights, "--sequences", "3", "--half", "20", "--out", out, "--json"});
    REQUIRE_MESSAGE(said.status == 0, said.err);
    const json all = json::parse(said.out);
    CHECK(all == json::parse(read_text(out + "/circuits.json")));
    CHECK(all["found"] == false);
    CHECK(all["induction"].size() == static_cast<size_t>(layers));
    CHECK(all["ablation"][0]["heads"].empty());
    // Weights that learned nothing: a token that comes again is no likelier than one that does not.
    CHECK(all["loss"]["repeat"].get<double>() ==
          doctest::Approx(all["loss"]["first_half"].get<double>()).epsilon(0.2));
    for (const json& row : all["previous"])
      for (const json& score : row) CHECK((score > 0 && score < 1));
    const std::string page = read_text(out + "/circuits.html");
    CHECK(page.find("No induction circuit in") != page.npos);
    CHECK(page.find("<script") == page.npos);
    const Said text = circuits({"report", "--weights", weights, "--sequences", "3", "--half", "20"});
    CHECK(text.out.find("There is no induction circuit") == 0);
    CHECK(text.out.find(layers == 0 ? "has no attention" : "the most is") != text.out.npos);
  }
}

TEST_CASE("circuits report: thresholds of 0 make every head one of the circuit, and the drawing is there") {
  const Folder folder;
  const std::string weights = write_model(folder, 2), out = folder / "out";
  const Said said = circuits({"report", "--weights", weights, "--half", "10", "--induction", "0",
                              "--previous", "0", "--ablate", "L1H3", "--out", out, "--json"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const json all = json::parse(said.out);
  CHECK(all["found"] == true);
  CHECK(all["induction_heads"].size() == 8);
  CHECK(all["previous_token_heads"].size() == 4);  // those before the last induction head
  CHECK(all["ablation"].back()["heads"] == json::array({"L1H3"}));
  CHECK(all["k_composition"][all["induction_heads"][0]["head"].get<std::string>()].is_array());
  CHECK(read_text(out + "/circuits.html").find("aria-label=\"The induction circuit\"") != std::string::npos);
}

TEST_CASE("circuits heads, composition, tokens") {
  const Folder folder;
  const std::string weights = write_model(folder, 2);
  const auto parsed = [](const Said& said) {
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return json::parse(said.out);
  };
  const json heads = parsed(circuits({"heads", "--weights", weights, "--json"}));
  CHECK(heads["heads"].size() == 8);
  for (const std::string by : {"query", "key", "value"}) {
    const json pairs = parsed(circuits({"composition", "--weights", weights, "--by", by, "--json"}));
    CHECK(pairs["compared"] == 16);
    for (size_t i = 1; i < pairs["pairs"].size(); ++i)
      CHECK(pairs["pairs"][i]["score"] <= pairs["pairs"][i - 1]["score"]);
    const json into =
        parsed(circuits({"composition", "--weights", weights, "--by", by, "--into", "L1H2", "--json"}));
    CHECK(into["compared"] == 4);
  }
  const json pairs = parsed(circuits(
      {"tokens", "--weights", weights, "--head", "L0H1", "--from", "5,6", "--count", "7", "--json"}));
  CHECK(pairs["pairs"].size() == 7);
  for (const json& pair : pairs["pairs"]) CHECK((pair["from"] == 5 || pair["from"] == 6));
}

TEST_CASE("circuits: bad input is one line, and leaves nothing behind") {
  const Folder folder;
  const std::string weights = write_model(folder, 1), out = folder / "out";
  write_text(folder / "file.gguf", "GGUF");
  const auto fails = [&](std::vector<std::string> words, int status, const std::string& says) {
    const Said said = circuits(std::move(words));
    CAPTURE(said.err);
    CHECK(said.status == status);
    CHECK(said.out.empty());
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(said.err.find(says) != said.err.npos);
    CHECK(!fs::exists(out));
  };
  fails({"report", "--out", out}, 2, "--weights");
  fails({"report", "--weights", folder / "none.gguf", "--out", out}, 1, "none.gguf");
  fails({"report", "--weights", folder / "file.gguf", "--out", out}, 1, "file.gguf");
  fails({"report", "--weights", weights, "--half", "33", "--out", out}, 2, "at most 64");
  fails({"report", "--weights", weights, "--half", "1", "--out", out}, 2, "--half");
  fails({"report", "--weights", weights, "--half", "9", "--ablate", "L1H0", "--out", out}, 2,
        "there is no head L1H0");
  fails({"report", "--weights", weights, "--ablate", "head 3", "--out", out}, 2, "L17H3");
  fails({"composition", "--weights", weights, "--by", "keys"}, 2, "query, key or value");
  fails({"tokens", "--weights", weights}, 2, "--head");
  fails({"tokens", "--weights", weights, "--head", "L0H4"}, 2, "there is no head L0H4");
  fails({"tokens", "--weights", weights, "--head", "L0H0", "--from", "200"}, 2, "token 200");
}

}  // namespace loupe::test
