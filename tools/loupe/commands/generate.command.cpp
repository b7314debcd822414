// `loupe generate`: what a text model says next.
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/text/tokenizer.h"
#include "tools/loupe/attend/ids_file.h"
#include "tools/loupe/command.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"
#include "tools/loupe/text_model_choice.h"

namespace loupe {
namespace {

struct Settings {
  TextModelChoice model;
  std::string ids, text, count = "12";
  bool json = false;

  void add_to(CLI::App& app) {
    model.add_to(app);
    value_option(app, "--ids", ids, "IDS", "Tokens to begin with: 504,3575,282", "What");
    value_option(app, "--text", text, "TEXT", "A text to begin with, if the model has its tokeniser", "What");
    value_option(app, "--count", count, "N", "Tokens to add, each the likeliest (12)", "What");
    flag_option(app, "--json", json, "For programs", "Results");
  }
};

// The model's likeliest next token. All tokens are run again for each: there is no cache of keys and values.
int32_t next_token(TextModel& model, const Ids& ids) {
  const auto inputs = model.inputs(std::vector<Ids>{ids});
  const NodeId logits = model.node("logits");
  Execution& run = model.network.execution(shapes_of(inputs), {.values = {logits}});
  run.forward(inputs);
  return largest_logits(run.value(logits).row(0)).back();
}

Ids tokens_of(const TextModel& model, const std::string& text) {
  if (!model.tokenizer)
    throw UsageError(model.network.name() + " has no tokeniser that Loupe reads: give --ids");
  Ids ids;
  for (const Token& t : model.tokenizer->frame(text).tokens) ids.push_back(t.id);
  return ids;
}

void run(const Settings& s) {
  if (s.ids.empty() == s.text.empty())
    throw UsageError("--ids or --text says what to begin with, such as 504,3575,282: give one of them");
  const int64_t count = parse_whole("--count", s.count, 1, 1 << 20);
  Ids ids = s.ids.empty() ? Ids{} : parse_ids("--ids", s.ids);
  TextModel model = s.model.load();
  if (!s.text.empty()) ids = tokens_of(model, s.text);
  if (model.config.family == "bert") throw UsageError(model.network.name() + " predicts no next token");
  if (std::ssize(ids) + count > model.config.positions + 1)
    throw UsageError(model.network.name() + " takes at most " + std::to_string(model.config.positions) +
                     " tokens, and " + std::to_string(ids.size()) + " with " + std::to_string(count) +
                     " more are too many");
  const size_t given = ids.size();
  const OnInterrupt watch;
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < count && !OnInterrupt::came(); ++i) ids.push_back(next_token(model, ids));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (OnInterrupt::came())
    throw Interrupted("stopped after " + std::to_string(ids.size() - given) + " tokens");
  const std::string said = model.tokenizer ? model.tokenizer->decode(ids) : "";
  if (s.json) return print_json({{"ids", ids}, {"given", given}, {"text", said}, {"seconds", seconds}});
  if (!s.text.empty()) return print(said + "\n");
  std::string text;
  for (const int32_t id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  print(text + "\n");
}

}  // namespace

extern const Command generate_command;
const Command generate_command{"generate", "What a text model says next, the likeliest token each time",
                               [](CLI::App& app) {
                                 const auto s = std::make_shared<Settings>();
                                 s->add_to(app);
                                 return [s] { run(*s); };
                               }};

}  // namespace loupe
