// `loupe train induction`, with schedules of a few steps: what it leaves, that it goes on to the same bits, and what goes
// wrong in one line. That heads appear is the shipped record's to show, and the model's that the program carries.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/text/text_model.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

Said train(const std::string& out, const Words& more) {
  Words words{"train", "induction", "--out", out, "--threads", "2", "--length", "32", "--batch", "4"};
  words.insert(words.end(), more.begin(), more.end());
  return loupe(words);
}

void check_fails(const Said& said, int status, const std::string& part) {
  CAPTURE(said.err);
  CHECK(said.status == status);
  CHECK(said.err.starts_with("loupe: "));
  CHECK(std::ranges::count(said.err, '\n') == 1);
  CHECK(said.err.find(part) != std::string::npos);
}

TEST_CASE("loupe train induction: a record, a page and a model of each depth and seed; stopped, it goes on") {
  const Folder folder;
  const std::string whole = folder / "whole", parts = folder / "parts";
  const Words short_run{"--layers",           "0,2", "--seeds", "5,6", "--steps", "6",
                        "--checkpoint-every", "3",   "--json"};
  const Said said = train(whole, short_run);
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const json record = json::parse(said.out);
  CHECK(record == json::parse(read_text(whole + "/induction.json")));
  REQUIRE(record.at("models").size() == 4);
  for (const json& m : record.at("models")) {
    CHECK(m.at("induction") == false);  // after six steps
    CHECK(m.at("heads").size() == (m.at("layers") == 2 ? 8 : 0));
  }
  const std::string page = read_text(whole + "/induction.html");
  CHECK(page.find("2 layers, seed 6") != std::string::npos);
  CHECK(page.find("http") == std::string::npos);

  Words stopped = short_run;
  stopped.insert(stopped.end(), {"--stop-after", "10"});  // in the second model
  CHECK(json::parse(train(parts, stopped).out).at("stopped_in") == "0 layers, seed 6");
  Words resumed = short_run;
  resumed.push_back("--resume");
  REQUIRE(train(parts, resumed).status == 0);
  for (const std::string run : {"layers0-seed6", "layers2-seed5"})
    for (const std::string file : {"checkpoint.safetensors", "scores.jsonl"}) {
      CAPTURE(run + "/" + file);
      CHECK(read_text(whole + "/" + run + "/" + file) == read_text(parts + "/" + run + "/" + file));
    }
  const TextModel model = load_text(whole + "/layers2-seed5/induction2.safetensors", Device::cpu());
  CHECK(model.config == attention_only(2, 256, 32));

  check_fails(train(whole, short_run), 2, "holds a checkpoint: add --resume");
  resumed[5] = "7";
  check_fails(train(parts, resumed), 2, "was made with steps 6, not 7");
  write_text(parts + "/layers0-seed5/scores.jsonl", "{}\n");
  resumed[5] = "6";
  check_fails(train(parts, resumed), 1, "its line 1 holds no scores");
}

TEST_CASE("loupe train induction: options that make no sense are said in one line") {
  const Folder folder;
  const std::string out = folder / "out";
  check_fails(train(out, {"--layers", "2,x"}), 2, "--layers");
  check_fails(train(out, {"--layers", "2,2"}), 2, "twice");
  check_fails(train(out, {"--seed", "3"}), 2, "takes --seeds");
  check_fails(train(out, {"--text", folder / "none"}), 1, "there is no such file");
  write_text(folder / "short", "a few words");
  check_fails(train(out, {"--text", folder / "short"}), 2, "holds 11 tokens");
  check_fails(loupe({"train", "zoo", "--out", out, "--layers", "2"}), 2, "goes with `loupe train induction`");
  CHECK(!fs::exists(out));
}

}  // namespace
}  // namespace loupe::test
