// `loupe tokens`: text as the tokens of a model, and back.
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "models/text/read_tokenizer.h"
#include "tools/loupe/attend/ids_file.h"
#include "tools/loupe/command.h"
#include "tools/loupe/print.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"
#include "tools/loupe/text_model_choice.h"

namespace loupe {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
  std::string weights, tokenizer, text, second, lines, ids;
  bool frame = false, json = false;

  void add_to(CLI::App& app) {
    value_option(app, "--weights", weights, "FILE|DIR", "The model: a .gguf file or a Hugging Face folder",
                 "Model");
    value_option(app, "--tokenizer", tokenizer, "FILE", "Its tokeniser alone: tokenizer.json or vocab.txt",
                 "Model");
    value_option(app, "--text", text, "TEXT", "A text", "What");
    value_option(app, "--text-b", second, "TEXT",
                 "A second one, behind it as the model wants two; with --frame", "What");
    value_option(app, "--lines", lines, "FILE", "Each line of a file by itself", "What");
    value_option(app, "--ids", ids, "IDS", "The text of these tokens: 504,3575,282", "What");
    flag_option(app, "--frame", frame, "With the tokens that the model wants around a text", "What");
    flag_option(app, "--json", json, "For programs; of --lines a list for each line", "Results");
  }
};

std::shared_ptr<const Tokenizer> load(const Settings& s) {
  if (s.weights.empty() == s.tokenizer.empty())
    throw UsageError("--weights names a model, or --tokenizer its tokeniser: give one of them");
  if (!s.tokenizer.empty()) return read_tokenizer(s.tokenizer);
  const TextSource source = TextSource::open(s.weights);
  std::string note;
  auto tokenizer = tokenizer_of(source, s.weights, note);
  if (!note.empty()) throw Error(note);
  if (!tokenizer) throw Error(source.name() + " holds no tokeniser");
  return tokenizer;
}

Json json_of(const Framed& framed) {
  Json ids = Json::array(), begin = Json::array(), end = Json::array();
  for (const Token& t : framed.tokens) ids.push_back(t.id), begin.push_back(t.begin), end.push_back(t.end);
  return {{"ids", ids}, {"begin", begin}, {"end", end}};
}

void show_text(const Settings& s, const Tokenizer& tokenizer) {
  const auto second = s.second.empty() ? std::nullopt : std::optional<std::string_view>(s.second);
  if (second && !s.frame) throw UsageError("--text-b goes with --frame, which puts two texts together");
  Framed framed;
  if (s.frame)
    framed = tokenizer.frame(s.text, second);
  else
    framed.tokens = tokenizer.encode(s.text);
  Json json = json_of(framed);
  if (s.frame) json["types"] = framed.types;
  json["pieces"] = Json::array();
  Table table({{"token", Table::Align::right}, {"bytes"}, {"piece"}}, 2);
  for (const Token& t : framed.tokens) {
    json["pieces"].push_back(valid_utf8(tokenizer.piece(t.id)));
    table.row({std::to_string(t.id),
               t.begin == t.end ? "" : std::to_string(t.begin) + "–" + std::to_string(t.end),
               shown_piece(tokenizer.piece(t.id))});
  }
  if (s.json) return print_json(json);
  print(table.str() + "  " + with_commas(std::ssize(framed.tokens)) + " tokens of " +
        with_commas(std::ssize(s.text)) + " bytes, of a vocabulary of " + with_commas(tokenizer.size()) +
        "\n");
}

void show_lines(const Settings& s, const Tokenizer& tokenizer) {
  std::vector<uint8_t> bytes;
  try {
    bytes = read_file(s.lines);
  } catch (const Error& e) {
    throw Error("cannot read '" + s.lines + "': " + e.what());
  }
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string out = s.json ? "[" : "";
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    Framed framed;
    if (s.frame)
      framed = tokenizer.frame(all.substr(at, end - at));
    else
      framed.tokens = tokenizer.encode(all.substr(at, end - at));
    if (s.json) {
      out += (at > 0 ? ",\n" : "") + json_of(framed).dump();
    } else {
      for (size_t i = 0; i < framed.tokens.size(); ++i)
        out += (i ? "," : "") + std::to_string(framed.tokens[i].id);
      out += "\n";
    }
    at = end + 1;
  }
  print(out + (s.json ? "]\n" : ""));
}

void run(const Settings& s) {
  const int asked = !s.text.empty() + !s.lines.empty() + !s.ids.empty();
  if (asked != 1) throw UsageError("--text, --lines or --ids says what: give one of them");
  const std::shared_ptr<const Tokenizer> tokenizer = load(s);
  if (!s.lines.empty()) return show_lines(s, *tokenizer);
  if (!s.text.empty()) return show_text(s, *tokenizer);
  const std::string text = tokenizer->decode(parse_ids("--ids", s.ids));
  s.json ? print_json({{"text", text}}) : print(text + "\n");
}

}  // namespace

extern const Command tokens_command;
const Command tokens_command{"tokens", "Text as the tokens of a model, and back", [](CLI::App& app) {
                               const auto s = std::make_shared<Settings>();
                               s->add_to(app);
                               return [s] { run(*s); };
                             }};

}  // namespace loupe
