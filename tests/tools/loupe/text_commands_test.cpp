// `loupe attend` and `loupe generate`: forms that programs rely on, and what they refuse.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/text/head_statistics.h"
#include "tests/support/command.h"
#include "tests/support/text_models.h"

namespace loupe::test {
namespace {

using nlohmann::json;

void fails(std::vector<std::string> words, int status, const std::string& says) {
  const Said said = loupe(words);
  CAPTURE(said.err);
  CHECK(said.status == status);
  CHECK(said.out.empty());
  CHECK(std::ranges::count(said.err, '\n') == 1);
  CHECK(said.err.find(says) != said.err.npos);
}

}  // namespace

TEST_CASE("attend --statistics --json: layers of heads, and each token's loss") {
  const Folder folder;
  write_text(folder / "ids.json", "[[3, 9, 4, 3, 9, 4], [1, 2, 28]]");
  const std::vector<Ids> sequences{{3, 9, 4, 3, 9, 4}, {1, 2, 28}};
  TextModel model = load_text(kTextFixtures + "llama.gguf", Device::cpu());
  const HeadStatistics wanted = head_statistics(model, sequences);
  for (const char* threads : {"1", "2"}) {
    const Said said =
        loupe({"attend", "--weights", kTextFixtures + "llama.gguf", "--ids", folder / "ids.json",
               "--statistics", "--json", "--profile", "--threads", threads});
    REQUIRE_MESSAGE(said.status == 0, said.err);
    const json all = json::parse(said.out);
    CHECK(all["loss"] == json(wanted.losses));
    CHECK(all["induction"] == json(wanted.of(Statistic::induction)));
    CHECK(all["previous"] == json(wanted.of(Statistic::previous)));
    CHECK(all["duplicate"] == json(wanted.of(Statistic::duplicate)));
    CHECK(all["first"] == json(wanted.of(Statistic::first)));
    CHECK(all["entropy"] == json(wanted.of(Statistic::entropy)));
    CHECK(all["profile"].size() == 2);
    CHECK(all["profile"][0].size() == 6);
    CHECK(all["profile"][0][0].size() == 11);
  }
  const Said text =
      loupe({"attend", "--weights", kTextFixtures + "llama", "--ids", folder / "ids.json", "--statistics"});
  REQUIRE_MESSAGE(text.status == 0, text.err);
  CHECK(text.out.find("induction") != text.out.npos);
  CHECK(text.out.find("loss of a token") != text.out.npos);
}

TEST_CASE("generate: the likeliest token each time") {
  const Said said =
      loupe({"generate", "--weights", kTextFixtures + "llama", "--ids", "3,9,4", "--count", "5", "--json"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const Ids ids = json::parse(said.out)["ids"].get<Ids>();
  REQUIRE(ids.size() == 8);
  TextModel model = load_text(kTextFixtures + "llama", Device::ref());
  for (size_t n = 3; n < 8; ++n) {
    const std::vector<Ids> before{Ids(ids.begin(), ids.begin() + static_cast<int64_t>(n))};
    const auto inputs = model.inputs(before);
    Execution& run = model.network.execution(shapes_of(inputs), {.values = {model.node("logits")}});
    run.forward(inputs);
    CHECK(largest_logits(run.value(model.node("logits")).row(0)).back() == ids[n]);
  }
  const Said text =
      loupe({"generate", "--weights", kTextFixtures + "llama", "--ids", "3,9,4", "--count", "1"});
  CHECK(text.out == "3,9,4," + std::to_string(ids[3]) + "\n");
}

TEST_CASE("attend and generate: bad input is one line") {
  const Folder folder;
  const std::string weights = kTextFixtures + "llama", ids = folder / "ids.json";
  const auto attend = [&](const std::string& text, int status, const std::string& says) {
    write_text(ids, text);
    fails({"attend", "--weights", weights, "--ids", ids, "--statistics"}, status, says);
  };
  attend("", 1, "no JSON list");
  attend("{}", 1, "no JSON list");
  attend("[]", 1, "no JSON list");
  attend("[[1, 2], []]", 1, "where a list of tokens belongs");
  attend("[[1, \"two\"]]", 1, "where the number of a token belongs");
  attend("[[1, -2]]", 1, "-2 where");
  attend("[[1, 2.5]]", 1, "2.5 where");
  attend("[[1, 29]]", 2, "token 29 (number 1) is not one of the 29");
  attend("[[1, 2], 3]", 1, "3 where a list");
  attend("[[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]", 2, "at most 16 tokens");
  write_text(ids, "[[1, 2]]");
  fails({"attend", "--weights", weights, "--ids", folder / "none.json", "--statistics"}, 1, "none.json");
  fails({"attend", "--weights", weights, "--ids", ids}, 2, "--statistics");
  fails({"attend", "--weights", weights, "--statistics"}, 2, "--ids");
  fails({"attend", "--ids", ids, "--statistics"}, 2, "--weights");
  fails({"attend", "--weights", weights, "--ids", ids, "--statistics", "--profile"}, 2, "--json");
  fails({"generate", "--weights", weights, "--ids", "1,x"}, 2, "--ids");
  fails({"generate", "--weights", weights, "--ids", "1,29"}, 2, "token 29");
  fails({"generate", "--weights", weights, "--ids", "1", "--count", "17"}, 2, "at most 16");
  fails({"generate", "--weights", weights}, 2, "--ids");
  fails({"generate", "--weights", kTextFixtures + "bert", "--ids", "1"}, 2, "no next token");
}

}  // namespace loupe::test
