// `loupe circuits`: what heads look at and carry, told from a model's weights.
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/file/file.h"
#include "tools/loupe/circuits/report.h"
#include "tools/loupe/circuits/tables.h"
#include "tools/loupe/command.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/text.h"
#include "tools/loupe/text_model_choice.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;
constexpr const char* kPage = "circuits.html";
constexpr const char* kRecord = "circuits.json";

// The report.
struct ReportSettings {
  TextModelChoice model;
  std::string sequences = "10", half = "50", ablated = "3", induction = "0.6", previous = "0.5", out;
  std::vector<std::string> ablate;
  bool json = false;

  void add_to(CLI::App& app) {
    const std::string how = "How", results = "Results";
    model.add_to(app);
    value_option(app, "--sequences", sequences, "N", "Sequences of random tokens, twice (10)", how);
    value_option(app, "--half", half, "N", "Tokens of each, before they come again (50)", how);
    value_option(app, "--induction", induction, "X", "Least score of an induction head (0.6)", how);
    value_option(app, "--previous", previous, "X", "Least score of a previous-token head (0.5)", how);
    repeated_option(app, "--ablate", ablate, "HEAD", "Silence this head, too: L3H0; may be repeated", how);
    value_option(app, "--ablation-sequences", ablated, "N", "Sequences on which heads are silenced (3)", how);
    value_option(app, "--out", out, "DIR", "Also write DIR/circuits.html and DIR/circuits.json", results);
    flag_option(app, "--json", json, "Print the record, and nothing else", results);
  }

  ReportChoice choice() const {
    ReportChoice c;
    c.sequences = parse_whole("--sequences", sequences, 1, 10'000);
    c.half = parse_whole("--half", half, 2, 1 << 20);
    c.ablated = parse_whole("--ablation-sequences", ablated, 1, 10'000);
    c.induction = parse_real("--induction", induction, 0, 1);
    c.previous = parse_real("--previous", previous, 0, 1);
    for (const std::string& name : ablate) c.ablate.push_back(parse_head(name));
    return c;
  }

  void run() const {
    const ReportChoice how = choice();
    std::optional<OutputFolder> folder;
    if (!out.empty()) folder.emplace(out);
    TextModel network = model.load();
    ProgressBar bar;
    const OnInterrupt watch_keys;
    std::string doing;
    const CircuitReport r = circuit_report(network, how, [&](const std::string& what, double part) {
      if (OnInterrupt::came()) {
        bar.clear();
        throw Interrupted("stopped; nothing was written");
      }
      if (what != doing) bar.begin(doing = what);
      bar.update(part);
    });
    bar.clear();
    const auto record = report_json(r);
    if (folder)
      folder->publish("", {{kPage, [&](const fs::path& to) { write_text(to, report_page(r)); }},
                           {kRecord, [&](const fs::path& to) { write_text(to, record.dump(1) + "\n"); }}});
    if (json) return print_json(record);
    print(report_text(r) + (folder ? "  " + (fs::path(out) / kPage).string() + "\n" : ""));
  }
};

// What the tables are asked.
struct TableSettings {
  TextModelChoice model;
  std::string into, kind = "key", count = "20", head, tokens;
  bool json = false;

  void add_ends_to(CLI::App& app) {
    value_option(app, "--count", count, "N", "Rows (20)", "Results");
    flag_option(app, "--json", json, "For programs", "Results");
  }
  int64_t rows() const { return parse_whole("--count", count, 1, 1'000'000); }
  void show(const CircuitTable& table) const { json ? print_json(table.json) : print(table.text); }
};

using Part = std::pair<CLI::App*, std::function<void()>>;

Part report(CLI::App& app) {
  CLI::App& sub =
      subcommand(app, "report", "The induction circuit of a model: its heads, what proves them, a page");
  const auto s = std::make_shared<ReportSettings>();
  s->add_to(sub);
  return {&sub, [s] { s->run(); }};
}

Part heads(CLI::App& app) {
  CLI::App& sub = subcommand(
      app, "heads", "Of each head: does it copy, in the stream and from token to token; does it match");
  const auto s = std::make_shared<TableSettings>();
  s->model.add_to(sub);
  s->add_ends_to(sub);
  return {&sub, [s] {
            const int64_t rows = s->rows();
            s->show(heads_table(s->model.load(), rows));
          }};
}

Part composition(CLI::App& app) {
  CLI::App& sub =
      subcommand(app, "composition", "Which heads read what earlier heads wrote, by queries, keys or values");
  const auto s = std::make_shared<TableSettings>();
  s->model.add_to(sub);
  value_option(sub, "--into", s->into, "HEAD", "Of this head alone: L17H3 (all pairs)", "What");
  value_option(sub, "--by", s->kind, "query|key|value", "What reads (key)", "What");
  s->add_ends_to(sub);
  return {&sub, [s] {
            const int64_t rows = s->rows();
            const Composition by = parse_composition(s->kind);
            const std::optional<Head> into =
                s->into.empty() ? std::nullopt : std::optional(parse_head(s->into));
            s->show(composition_table(s->model.load(), by, into, rows));
          }};
}

Part tokens(CLI::App& app) {
  CLI::App& sub = subcommand(app, "tokens",
                             "The strongest pairs of a head's OV circuit: seeing one token raises another");
  const auto s = std::make_shared<TableSettings>();
  s->model.add_to(sub);
  value_option(sub, "--head", s->head, "HEAD", "L18H6", "What");
  value_option(sub, "--from", s->tokens, "IDS", "Tokens that it sees, a list with commas (all)", "What");
  s->add_ends_to(sub);
  return {&sub, [s] {
            const int64_t rows = s->rows();
            if (s->head.empty()) throw UsageError("--head is missing: L18H6");
            const Head head = parse_head(s->head);
            std::vector<int32_t> from;
            for (const std::string& id : split_commas(s->tokens))
              if (!id.empty()) from.push_back(static_cast<int32_t>(parse_whole("--from", id, 0, INT32_MAX)));
            s->show(tokens_table(s->model.load(), head, from, rows));
          }};
}

}  // namespace

extern const Command circuits_command;
const Command circuits_command{
    "circuits", "What attention heads look at and carry, by their weights; the induction circuit",
    [](CLI::App& app) {
      const std::vector<Part> parts{report(app), heads(app), composition(app), tokens(app)};
      return [parts] {
        for (const auto& [sub, body] : parts)
          if (was_named(*sub)) body();
      };
    }};

}  // namespace loupe
