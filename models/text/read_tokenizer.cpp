#include "models/text/read_tokenizer.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/file/file.h"
#include "engine/text/byte_bpe.h"
#include "engine/text/word_piece.h"

namespace loupe {
namespace {

using nlohmann::json;
using Merges = std::vector<std::pair<std::string, std::string>>;

[[noreturn]] void refuse(const std::string& name, const std::string& what) {
  throw Error(name + " holds a tokeniser that Loupe does not read: " + what);
}

// "a b" → a and b.
std::pair<std::string, std::string> merge_of(const std::string& text, const std::string& name) {
  const size_t blank = text.find(' ');
  if (blank == 0 || blank == text.npos || text.find(' ', blank + 1) != text.npos)
    refuse(name, "a merge is no two pieces");
  return {text.substr(0, blank), text.substr(blank + 1)};
}

// What making one throws names no file.
template <typename Make>
std::shared_ptr<const Tokenizer> made(const std::string& name, const Make& make) {
  try {
    return make();
  } catch (const Error& e) {
    refuse(name, e.what());
  }
}

// ---- tokenizer.json

// Of an object the member of that name; null where it is not there. Throws where `from` is no object.
const json& member(const json& from, const char* key) {
  static const json kNull;
  if (from.is_null()) return kNull;
  if (!from.is_object()) throw Error(std::string("no object around ") + key);
  const auto found = from.find(key);
  return found == from.end() ? kNull : *found;
}
std::string text_of(const json& value, const char* key) {
  const json& at = member(value, key);
  if (!at.is_string()) throw Error(std::string(key) + " is no text");
  return at.get<std::string>();
}
bool flag_of(const json& value, const char* key, bool otherwise) {
  const json& at = member(value, key);
  return at.is_boolean() ? at.get<bool>() : otherwise;
}
int32_t number_of(const json& value, const char* what) {
  if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() > INT32_MAX)
    throw Error(std::string(what) + " is no number of a token");
  return value.get<int32_t>();
}

constexpr int32_t kMostTokens = 1 << 22;

Vocabulary vocabulary_of(const json& all) {
  const json& table = member(member(all, "model"), "vocab");
  if (!table.is_object() || table.empty()) throw Error("model.vocab is no table of pieces");
  std::vector<std::pair<std::string, int32_t>> entries;
  for (const auto& [piece, id] : table.items()) entries.emplace_back(piece, number_of(id, "model.vocab"));
  Vocabulary v;
  if (const json& added = member(all, "added_tokens"); added.is_array())
    for (const json& token : added) {
      const std::string content = text_of(token, "content");
      const int32_t id = number_of(member(token, "id"), "added_tokens");
      if (content.empty()) throw Error("an added token is empty");
      if (flag_of(token, "lstrip", false) || flag_of(token, "rstrip", false) ||
          flag_of(token, "single_word", false))
        throw Error("the added token '" + content + "' takes blanks or words around it");
      v.special.emplace_back(content, id);
      entries.emplace_back(content, id);
    }
  for (const auto& [piece, id] : entries) {
    if (id >= kMostTokens) throw Error("a token has the number " + std::to_string(id));
    if (id >= std::ssize(v.pieces)) v.pieces.resize(static_cast<size_t>(id) + 1);
    v.pieces[static_cast<size_t>(id)] = piece;
  }
  return v;
}

// Sequences are looked into.
std::vector<json> steps_of(const json& value, const char* inside) {
  if (value.is_null()) return {};
  if (text_of(value, "type") != "Sequence") return {value};
  const json& list = member(value, inside);
  if (!list.is_array()) throw Error(std::string(inside) + " is no list");
  return {list.begin(), list.end()};
}

WordSplit split_of(const json& all) {
  if (!member(all, "normalizer").is_null()) throw Error("a normaliser before byte-level BPE");
  WordSplit split;
  bool bytes = false;
  for (const json& step : steps_of(member(all, "pre_tokenizer"), "pretokenizers")) {
    const std::string type = text_of(step, "type");
    if (type == "Digits" && flag_of(step, "individual_digits", false) && !bytes) {
      split.digits = true;
    } else if (type == "ByteLevel" && !flag_of(step, "add_prefix_space", true) &&
               flag_of(step, "use_regex", true)) {
      bytes = true;
    } else {
      throw Error("the pre-tokeniser " + type + " as it is set");
    }
  }
  if (!bytes) throw Error("BPE without bytes");
  return split;
}

Merges merges_of(const json& model, const std::string& name) {
  const json& list = member(model, "merges");
  if (!list.is_array()) throw Error("model.merges is no list");
  Merges merges;
  for (const json& merge : list)
    if (merge.is_string())
      merges.push_back(merge_of(merge.get<std::string>(), name));
    else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
      merges.emplace_back(merge[0], merge[1]);
    else
      throw Error("a merge is no two pieces");
  return merges;
}

std::vector<FramePart> frame_of(const json& list, const Tokenizer& tokenizer) {
  std::vector<FramePart> parts;
  if (!list.is_array()) throw Error("a template is no list");
  for (const json& part : list) {
    const json &special = member(part, "SpecialToken"), &sequence = member(part, "Sequence");
    const json& of = special.is_null() ? sequence : special;
    FramePart p{.type = number_of(member(of, "type_id"), "type_id")};
    const std::string id = text_of(of, "id");
    if (!special.is_null()) {
      const auto found = tokenizer.find(id);
      if (!found) throw Error("a template's token '" + id + "' is not in the vocabulary");
      p.id = *found;
    } else {
      p.text = id == "A" ? 0 : 1;
    }
    parts.push_back(p);
  }
  return parts;
}

template <typename T>
std::shared_ptr<const Tokenizer> with_frames(std::shared_ptr<T> tokenizer, const json& all) {
  for (const json& step : steps_of(member(all, "post_processor"), "processors")) {
    if (text_of(step, "type") != "TemplateProcessing") continue;  // ByteLevel's trims offsets alone
    tokenizer->single = frame_of(member(step, "single"), *tokenizer);
    tokenizer->pair = frame_of(member(step, "pair"), *tokenizer);
  }
  return tokenizer;
}

WordPieceChoice word_piece_of(const json& all) {
  const json &model = member(all, "model"), &normal = member(all, "normalizer");
  if (text_of(normal, "type") != "BertNormalizer" ||
      text_of(member(all, "pre_tokenizer"), "type") != "BertPreTokenizer")
    throw Error("WordPiece without BERT's normaliser and words");
  if (text_of(model, "continuing_subword_prefix") != "##")
    throw Error("pieces that continue a word without ##");
  WordPieceChoice c;
  c.unknown = text_of(model, "unk_token");
  c.clean = flag_of(normal, "clean_text", true);
  c.chinese = flag_of(normal, "handle_chinese_chars", true);
  c.lower_case = flag_of(normal, "lowercase", true);
  c.strip_accents = flag_of(normal, "strip_accents", c.lower_case);
  if (const json& longest = member(model, "max_input_chars_per_word"); !longest.is_null())
    c.longest = number_of(longest, "max_input_chars_per_word");
  return c;
}

std::shared_ptr<const Tokenizer> of_json(const std::string& text, const std::string& name) {
  const json all = json::parse(text, nullptr, false);
  if (all.is_discarded()) refuse(name, "it is no JSON");
  return made(name, [&]() -> std::shared_ptr<const Tokenizer> {
    const json& model = member(all, "model");
    const std::string type = text_of(model, "type");
    if (type == "BPE")
      return with_frames(std::make_shared<ByteBpe>(vocabulary_of(all), merges_of(model, name), split_of(all)),
                         all);
    if (type == "WordPiece")
      return with_frames(std::make_shared<WordPiece>(vocabulary_of(all), word_piece_of(all)), all);
    throw Error("the model " + type);
  });
}

// ---- vocab.txt

std::shared_ptr<const Tokenizer> of_lines(const std::string& text, const std::string& name) {
  Vocabulary v;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    v.pieces.push_back(line);
  }
  for (const char* special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    if (const auto found = std::ranges::find(v.pieces, special); found != v.pieces.end())
      v.special.emplace_back(special, static_cast<int32_t>(found - v.pieces.begin()));
  return made(name, [&]() -> std::shared_ptr<const Tokenizer> {
    const auto tokenizer = std::make_shared<WordPiece>(std::move(v), WordPieceChoice{});
    const auto first = tokenizer->find("[CLS]"), behind = tokenizer->find("[SEP]");
    if (!first || !behind) throw Error("no [CLS] or no [SEP]");
    tokenizer->single = {{.id = *first}, {.text = 0}, {.id = *behind}};
    tokenizer->pair = {
        {.id = *first}, {.text = 0}, {.id = *behind}, {.text = 1, .type = 1}, {.id = *behind, .type = 1}};
    return tokenizer;
  });
}

}  // namespace

std::shared_ptr<const Tokenizer> gguf_tokenizer(const GgufFile& file, const std::string& name) {
  const std::string model = file.text("tokenizer.ggml.model").value_or(""),
                    pre = file.text("tokenizer.ggml.pre").value_or("gpt2");
  if (model != "gpt2") refuse(name, "tokenizer.ggml.model is '" + model + "'");
  if (pre != "gpt2" && pre != "gpt-2" && pre != "default" && pre != "smollm")
    refuse(name, "tokenizer.ggml.pre is '" + pre + "'");
  constexpr int64_t kControl = 3, kGiven = 4;  // types of tokens that are not made of others
  Vocabulary v{.pieces = file.texts("tokenizer.ggml.tokens")};
  const std::vector<int64_t> types = file.integers("tokenizer.ggml.token_type");
  if (!types.empty() && types.size() != v.pieces.size()) refuse(name, "types of another number of tokens");
  for (size_t i = 0; i < types.size(); ++i)
    if ((types[i] == kControl || types[i] == kGiven) && !v.pieces[i].empty())
      v.special.emplace_back(v.pieces[i], static_cast<int32_t>(i));
  Merges merges;
  for (const std::string& merge : file.texts("tokenizer.ggml.merges"))
    merges.push_back(merge_of(merge, name));
  return made(name, [&]() -> std::shared_ptr<const Tokenizer> {
    const auto tokenizer =
        std::make_shared<ByteBpe>(std::move(v), merges, WordSplit{.digits = pre == "smollm"});
    const auto first = file.integer("tokenizer.ggml.bos_token_id");
    if (file.flag("tokenizer.ggml.add_bos_token").value_or(false) && first && *first >= 0 &&
        *first < tokenizer->size())
      tokenizer->single = {{.id = static_cast<int32_t>(*first)}, {.text = 0}};
    return tokenizer;
  });
}

std::shared_ptr<const Tokenizer> read_tokenizer(const std::filesystem::path& file) {
  std::vector<uint8_t> bytes;
  try {
    bytes = read_file(file);
  } catch (const Error& e) {
    throw Error("cannot read '" + file.string() + "': " + e.what());
  }
  return parse_tokenizer({bytes.begin(), bytes.end()}, "'" + file.string() + "'");
}

std::shared_ptr<const Tokenizer> parse_tokenizer(const std::string& text, const std::string& name) {
  return text.starts_with('{') ? of_json(text, name) : of_lines(text, name);
}

std::shared_ptr<const Tokenizer> tokenizer_of(const TextSource& source, const std::filesystem::path& path,
                                              std::string& note) {
  try {
    if (source.gguf())
      return source.gguf()->has("tokenizer.ggml.model") ? gguf_tokenizer(*source.gguf(), source.name())
                                                        : nullptr;
    for (const char* file : {"tokenizer.json", "vocab.txt"})
      if (source.kind() == TextSource::Kind::folder && std::filesystem::exists(path / file))
        return read_tokenizer(path / file);
  } catch (const Error& e) {
    note = e.what();
  }
  return nullptr;
}

}  // namespace loupe
