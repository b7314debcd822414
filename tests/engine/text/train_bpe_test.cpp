// Learned BPE against Hugging Face's BpeTrainer on the same sentences (tests/oracle/make_tokenizers.py): every piece's
// number and every merge.
#include "engine/text/train_bpe.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "kernels/common/op.h"

namespace loupe::test {
namespace {

using nlohmann::json;

// CORPUS of make_tokenizers.py.
std::vector<std::string> sentences() {
  std::vector<std::string> all;
  for (const std::string a : {"goose", "crab", "iguana", "flamingo"})
    for (const std::string b : {"sees", "follows", "hides from"})
      for (const std::string c : {"quietly", "again at"})
        for (const std::string d : {"water", "boat", "older shirt"})
          for (const std::string n : {"3", "17", "2024"})
            all.push_back("The " + a + " " + b + " " + c + " the " + d + ", and " + n + " " + a +
                          "s didn't.");
  all.push_back("Größe naïve café über");
  all.push_back("日本 の 鳥");
  return all;
}

json fixture(const std::string& name) {
  std::ifstream in(LOUPE_SOURCE_DIR "/tests/fixtures/tokenizers/" + name);
  return json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
}

}  // namespace

TEST_CASE("learned BPE is Hugging Face's") {
  const std::vector<std::string> texts = sentences();
  for (const bool digits : {false, true}) {
    CAPTURE(digits);
    BpeTraining training{.size = 420, .split = {.digits = digits}};
    if (digits) training.special = {"<|end|>"};
    const LearnedBpe learned = train_bpe(texts, training);
    const json expected = fixture(digits ? "digits.json" : "bpe.json");
    const json made = json::parse(tokenizer_json(learned, training.split));
    CHECK(made["model"]["vocab"] == expected["model"]["vocab"]);
    CHECK(made["model"]["merges"] == expected["model"]["merges"]);
    CHECK(made["added_tokens"] == expected["added_tokens"]);
    CHECK(made["pre_tokenizer"] == expected["pre_tokenizer"]);
    const ByteBpe tokenizer(learned.vocabulary, learned.merges, training.split);
    for (const std::string& text : texts) {
      std::vector<int32_t> ids;
      for (const Token& t : tokenizer.encode(text)) ids.push_back(t.id);
      CHECK(ids.size() < text.size());
      CHECK(tokenizer.decode(ids) == text);
    }
  }
}

TEST_CASE("the order of texts changes nothing") {
  std::vector<std::string> texts = sentences();
  const LearnedBpe before = train_bpe(texts, {.size = 400});
  std::ranges::reverse(texts);
  const LearnedBpe after = train_bpe(texts, {.size = 400});
  CHECK(before.merges == after.merges);
  CHECK(before.vocabulary.pieces == after.vocabulary.pieces);
}

TEST_CASE("what cannot be learned") {
  const std::vector<std::string> none, runs = {"aaaaaa aaaaaaa", "x\xff"};
  CHECK(train_bpe(none, {.size = 256}).merges.empty());
  CHECK(train_bpe(runs, {.size = 100000}).vocabulary.pieces.size() < 280);
  CHECK_THROWS_AS(train_bpe(runs, {.size = 255}), UsageError);
  CHECK_THROWS_AS(train_bpe(runs, {.size = 400, .special = {"a!", "a!"}}), UsageError);
  CHECK_THROWS_AS(train_bpe(runs, {.size = 400, .special = {""}}), UsageError);
}

}  // namespace loupe::test
