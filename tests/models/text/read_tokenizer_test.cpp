// Tokenisers from files against Hugging Face's tokenizers (tests/oracle/make_tokenizers.py), and files that are damaged.
#include "models/text/read_tokenizer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/text/byte_bpe.h"
#include "engine/text/unicode.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;

const std::string kFolder = LOUPE_SOURCE_DIR "/tests/fixtures/tokenizers/";

std::string of_base64(const std::string& text) {
  static const std::string kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
    if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8));
  }
  return out;
}

std::vector<int32_t> ids_of(const std::vector<Token>& tokens) {
  std::vector<int32_t> ids;
  for (const Token& t : tokens) ids.push_back(t.id);
  return ids;
}

std::string error_of(const std::string& path) {
  try {
    read_tokenizer(path);
    return "(no error)";
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
    return e.what();
  }
}

}  // namespace

TEST_CASE("tokens and their text are Hugging Face's") {
  const json expected = json::parse(read_text(kFolder + "expected.json"));
  for (const std::string name : {"bpe.json", "digits.json", "word_piece.json"}) {
    const auto tokenizer = read_tokenizer(kFolder + name);
    for (const json& e : expected[name]) {
      const std::string text = of_base64(e["text"]);
      CAPTURE(name);
      CAPTURE(text);
      const std::vector<Token> tokens = tokenizer->encode(text);
      CHECK(ids_of(tokens) == e["ids"].get<std::vector<int32_t>>());
      CHECK(tokenizer->decode(ids_of(tokens)) == e["decoded"].get<std::string>());
      int64_t last = 0;
      for (const Token& t : tokens) {
        CHECK(t.begin >= last);
        CHECK(t.end > t.begin);
        CHECK(t.end <= std::ssize(text));
        last = t.begin;
      }
      // Of bytes that are UTF-8 byte-level pieces cover all.
      if (name == "bpe.json" && valid_text(text).places.empty()) {
        std::string joined;
        for (const Token& t : tokens) {
          CHECK(tokenizer->piece(t.id) ==
                text.substr(static_cast<size_t>(t.begin), static_cast<size_t>(t.end - t.begin)));
          joined += tokenizer->piece(t.id);
        }
        CHECK(joined == text);
      }
    }
  }
}

TEST_CASE("frames, and a vocabulary of lines") {
  const json pair = json::parse(read_text(kFolder + "expected.json"))["pair"];
  for (const std::string name : {"word_piece.json", "vocab.txt"}) {
    const auto tokenizer = read_tokenizer(kFolder + name);
    const Framed framed = tokenizer->frame("The goose", "sees the crab!");
    CHECK(ids_of(framed.tokens) == pair["ids"].get<std::vector<int32_t>>());
    CHECK(framed.types == pair["types"].get<std::vector<int32_t>>());
    const Framed one = tokenizer->frame("The goose");
    CHECK(one.tokens.front().id == *tokenizer->find("[CLS]"));
    CHECK(one.tokens.back().id == *tokenizer->find("[SEP]"));
    CHECK(std::ranges::count(one.types, 0) == std::ssize(one.types));
    CHECK(tokenizer->decode(ids_of(one.tokens)) == "the goose");
  }
  const auto bpe = read_tokenizer(kFolder + "bpe.json");
  CHECK(ids_of(bpe->frame("The goose").tokens) == ids_of(bpe->encode("The goose")));
  CHECK_THROWS_WITH_AS(bpe->frame("a", "b"), doctest::Contains("one text"), UsageError);
  CHECK_THROWS_WITH_AS(bpe->decode(std::vector<int32_t>{420}), doctest::Contains("token 420"), UsageError);
}

TEST_CASE("broken UTF-8 is repaired as Python does, and tokens lie where it was") {
  CHECK(valid_text("a\xff"
                   "b")
            .text == "a\uFFFDb");
  CHECK(valid_text("\xe2\x82").text == "\uFFFD");
  CHECK(valid_text("\xe2\x82 ").text == "\uFFFD ");
  CHECK(valid_text("\xed\xa0\x80").text == "\uFFFD\uFFFD\uFFFD");
  CHECK(valid_text("\xf0\x9f\x98").text == "\uFFFD");
  CHECK(valid_text("\xc0\xaf").text == "\uFFFD\uFFFD");
  CHECK(valid_text("\xf4\x90\x80\x80").text == "\uFFFD\uFFFD\uFFFD\uFFFD");
  const auto tokenizer = read_tokenizer(kFolder + "bpe.json");
  const std::vector<Token> tokens = tokenizer->encode(
      "ab\xe2\x82"
      "cd");
  CHECK(tokens.front().begin == 0);
  CHECK(tokens.back().end == 6);
  for (const Token& t : tokens)
    if (t.begin == 2) CHECK(t.end == 4);
}

TEST_CASE("words are cut as GPT-2's pattern does") {
  const auto words = [](const std::string& text, bool digits) {
    std::vector<std::string> all;
    size_t begin = 0;
    for (const size_t end : split_words(text, {.digits = digits})) {
      all.push_back(text.substr(begin, end - begin));
      begin = end;
    }
    return all;
  };
  using Words = std::vector<std::string>;
  CHECK(words("it's 12  a", false) == Words{"it", "'s", " 12", " ", " a"});
  CHECK(words("it's 12  a", true) == Words{"it", "'s", " ", "1", "2", " ", " a"});
  CHECK(words("a   ", false) == Words{"a", "   "});
  CHECK(words("\n\n b", false) == Words{"\n\n", " b"});
  CHECK(words(" !?", false) == Words{" !?"});
  CHECK(words("", false).empty());
}

TEST_CASE("what is no tokeniser, or one that is not read, is one line that says so") {
  const Folder folder;
  const std::string whole = read_text(kFolder + "bpe.json"), path = folder / "tokenizer.json";
  const auto changed = [&](const std::string& file, const std::string& from, const std::string& to) {
    std::string text = read_text(kFolder + file);
    const size_t at = text.find(from);
    REQUIRE(at != text.npos);
    write_text(path, text.replace(at, from.size(), to));
    return error_of(path);
  };
  const auto says = [](const std::string& error, const std::string& part) {
    CHECK_MESSAGE(error.find(part) != error.npos, part << ": " << error);
  };
  says(error_of(folder / "none.json"), "none.json");
  says(changed("bpe.json", "\"BPE\"", "\"Unigram\""), "the model Unigram");
  says(changed("bpe.json", "\"add_prefix_space\": false", "\"add_prefix_space\": true"),
       "ByteLevel as it is set");
  says(changed("bpe.json", "\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}"), "a normaliser");
  says(changed("bpe.json", "\"vocab\": {", "\"vocab\": {\"zzz\": -1, "), "no number of a token");
  says(changed("bpe.json", "\"vocab\": {", "\"vocab\": {\"zzz\": 2000000000, "), "2000000000");
  says(changed("bpe.json", "\"merges\": [", "\"merges\": [\"q z\", "), "joins what is not");
  says(changed("digits.json", "\"lstrip\": false", "\"lstrip\": true"), "takes blanks");
  says(changed("word_piece.json", "\"BertNormalizer\"", "\"Lowercase\""), "BERT's normaliser");
  says(changed("word_piece.json", "\"unk_token\": \"[UNK]\"", "\"unk_token\": \"[??]\""), "[??]");
  write_text(path, "one\ntwo\n");
  says(error_of(path), "[UNK]");
  std::mt19937 random(1);
  for (const std::string name : {"bpe.json", "word_piece.json", "vocab.txt"}) {
    const std::string text = read_text(kFolder + name);
    for (int i = 0; i < 60; ++i) {
      std::string damaged = text.substr(0, i % 2 ? text.size() : random() % text.size());
      for (int k = 0; k < 4 && !damaged.empty(); ++k)
        damaged[random() % damaged.size()] = static_cast<char>(random());
      write_text(path, damaged);
      error_of(path);
    }
  }
}

TEST_CASE("tokens: text, lines and numbers by the command") {
  const Folder folder;
  const Said text = loupe({"tokens", "--tokenizer", kFolder + "word_piece.json", "--text", "The goose",
                           "--text-b", "sees the crab!", "--frame", "--json"});
  REQUIRE_MESSAGE(text.status == 0, text.err);
  const json pair = json::parse(read_text(kFolder + "expected.json"))["pair"], all = json::parse(text.out);
  CHECK(all["ids"] == pair["ids"]);
  CHECK(all["types"] == pair["types"]);
  write_text(folder / "lines.txt", "The goose\n\nsees \xff\n");
  const Said lines =
      loupe({"tokens", "--tokenizer", kFolder + "bpe.json", "--lines", folder / "lines.txt", "--json"});
  REQUIRE_MESSAGE(lines.status == 0, lines.err);
  const json each = json::parse(lines.out);
  REQUIRE(each.size() == 3);
  CHECK(each[1]["ids"].empty());
  std::string ids;
  for (const json& id : each[0]["ids"]) ids += (ids.empty() ? "" : ",") + id.dump();
  CHECK(loupe({"tokens", "--tokenizer", kFolder + "bpe.json", "--ids", ids}).out == "The goose\n");
  for (const auto& [words, part] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--text", "a"}, "--tokenizer"},
           {{"--tokenizer", kFolder + "bpe.json"}, "--lines"},
           {{"--tokenizer", kFolder + "bpe.json", "--text", "a", "--ids", "1"}, "one of them"},
           {{"--tokenizer", kFolder + "bpe.json", "--ids", "9999"}, "token 9999"},
           {{"--tokenizer", kFolder + "bpe.json", "--text", "a", "--text-b", "b"}, "--frame"}}) {
    std::vector<std::string> command{"tokens"};
    command.insert(command.end(), words.begin(), words.end());
    const Said said = loupe(command);
    CAPTURE(said.err);
    CHECK(said.status == 2);
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(said.err.find(part) != said.err.npos);
  }
}

}  // namespace loupe::test
