// `loupe plan`: the kernel calls of one pass, and where each array lies in the arena.
#include "engine/plan/plan.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/common/suggest.h"
#include "tools/loupe/command.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Settings {
  ModelChoice model;
  SizeChoice size;
  DeviceChoice device;
  std::string rule, from, to, batch = "1";
  bool json = false;
};

Rule find_rule(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& rule : {gradient_rule, guided_backprop_rule, deconvnet_rule}) {
    known.push_back(rule().name);
    if (known.back() == name) return rule();
  }
  const std::string near = did_you_mean(name, known);
  throw UsageError("there is no rule '" + name + "'" + (near.empty() ? "; there are " + join(known) : near));
}

Purpose purpose(const Settings& s, const Graph& graph) {
  const NodeId from = s.from.empty() ? graph.output() : graph.find(s.from);
  if (s.rule.empty()) {
    if (!s.to.empty()) throw UsageError("--to names where a backward pass ends, so it needs --rule");
    return {.values = {from}};
  }
  const NodeId to = s.to.empty() ? graph.inputs().at(0) : graph.find(s.to);
  return {.values = {from}, .from = from, .gradients = {to}, .rule = find_rule(s.rule)};
}

// "64×111×111": without the batch, which is the same everywhere.
std::string sizes(const Shape& shape) {
  std::string text;
  for (int i = 1; i < shape.rank(); ++i) text += (i > 1 ? "×" : "") + std::to_string(shape[i]);
  return text;
}

// Each algorithm's text once, under a letter: many steps share few.
class Letters {
 public:
  std::string of(const std::string& text) {
    const auto at = std::ranges::find(texts_, text) - texts_.begin();
    if (at == std::ssize(texts_)) texts_.push_back(text);
    return letter(static_cast<size_t>(at));
  }
  std::string legend() const {
    std::string out;
    for (size_t i = 0; i < texts_.size(); ++i) out += "  " + letter(i) + "  " + texts_[i] + "\n";
    return out;
  }

 private:
  static std::string letter(size_t i) {
    return i < 26 ? std::string(1, static_cast<char>('a' + i)) : letter(i / 26 - 1) + letter(i % 26);
  }
  std::vector<std::string> texts_;
};

const PlanValue& written(const Plan& plan, const PlanStep& step) {
  return plan.value(step.grad >= 0 ? step.grad : step.outputs.at(0));
}

std::string node_name(const Plan& plan, const PlanStep& step) {
  return step.node < 0 ? "" : plan.graph().node(step.node).name;
}

// "mask 96.3 KiB"
std::string kept_text(const Plan& plan, ValueId record) {
  const PlanValue& v = plan.value(record);
  const char* what = v.type.dtype == Dtype::bit  ? "mask "
                     : v.type.dtype == Dtype::u8 ? "switches "
                                                 : "numbers ";
  return what + short_bytes(array_bytes(v.type.dtype, v.type.shape, v.type.layout));
}

// What runs in the same pass.
std::string extras(const PlanStep& step) {
  std::string text;
  if (step.note.find("(folded)") != step.note.npos) text += " +norm";
  if (step.epilogue.residual) text += " +sum";
  if (step.epilogue.row != Epilogue::Row::none)
    text += " +row";
  else if (step.epilogue.function)
    text += " +f";
  if (step.op->kind().name == "edit") text += " +edit";
  return text;
}

void as_table(const std::string& model, const Plan& plan) {
  using enum Table::Align;
  Table table({{"step", right},
               {"kernel"},
               {"node"},
               {"writes"},
               {"at byte", right},
               {"tape keeps", right},
               {"how"}});
  Letters letters;
  for (size_t i = 0; i < plan.steps().size(); ++i) {
    const PlanStep& step = plan.steps()[i];
    const bool forward = static_cast<int>(i) < plan.forward_steps();
    if (static_cast<int>(i) == plan.forward_steps()) table.line();
    const PlanValue& v = written(plan, step);
    std::string kernel(step.op->kind().name), kept;
    if (!step.direction.is_forward()) kernel += " " + step.op->kind().direction_name(step.direction);
    if (forward)
      for (const ValueId record : {step.record, step.epilogue_record})
        if (record >= 0) kept += (kept.empty() ? "" : ", ") + kept_text(plan, record);
    const std::string how = letters.of(step.call.describe) + extras(step);
    table.row({std::to_string(i), kernel, node_name(plan, step), sizes(v.type.shape),
               with_commas(plan.slot(v.slot).offset), kept, how});
  }
  const std::string way_back =
      plan.purpose().from ? ", below the line the way back (" + plan.purpose().rule.name + ")" : "";
  print(table.str() + "\n" + letters.legend() +
        "  +norm  a batch norm is folded into the weights; +sum  a residual addition, +f  a function, and on "
        "the way back\n"
        "  +row  its slope or the rule's row, run in the same pass; +edit  a value that may be changed\n\n" +
        model + " on " + std::string(backend_name(plan.backend())) + ", batch " +
        std::to_string(plan.batch()) + way_back + ": arena " + short_bytes(plan.arena_bytes()) +
        ", of which the tape keeps " + short_bytes(plan.tape_bytes()) + "\n");
}

void as_json(const std::string& model, const Plan& plan) {
  auto steps = nlohmann::ordered_json::array();
  for (const PlanStep& step : plan.steps()) {
    const PlanValue& v = written(plan, step);
    nlohmann::ordered_json row{
        {"direction", step.op->kind().direction_name(step.direction)},
        {"op", step.op->kind().name},
        {"node", node_name(plan, step)},
        {"writes", std::vector<int64_t>(v.type.shape.dims().begin(), v.type.shape.dims().end())},
        {"offset", plan.slot(v.slot).offset},
        {"bytes", array_bytes(v.type.dtype, v.type.shape, v.type.layout)},
        {"how", step.call.describe + step.note}};
    for (const ValueId record : {step.record, step.epilogue_record})
      if (record >= 0) row["tape"] = dtype_name(plan.value(record).type.dtype);
    steps.push_back(row);
  }
  print_json({{"model", model},
              {"device", backend_name(plan.backend())},
              {"batch", plan.batch()},
              {"rule", plan.purpose().from ? plan.purpose().rule.name : ""},
              {"forward_steps", plan.forward_steps()},
              {"steps", steps},
              {"arena_bytes", plan.arena_bytes()},
              {"tape_bytes", plan.tape_bytes()}});
}

}  // namespace

extern const Command plan_command{
    "plan", "Prints the kernel calls of a pass, and what its memory holds", [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->model.add_to(app);
      s->size.add_to(app);
      value_option(app, "--rule", s->rule, "RULE",
                   "Add the way back: gradient, guided_backprop or deconvnet (forward only)");
      value_option(app, "--from", s->from, "NODE",
                   "Where the forward pass ends and the way back begins (the logits)");
      value_option(app, "--to", s->to, "NODE", "Where the way back ends (the input)");
      value_option(app, "--batch", s->batch, "N", "Images at once (1)");
      s->device.add_name_to(app);
      flag_option(app, "--json", s->json, "For programs");
      return [s] {
        const Device device = s->device.named();
        const int64_t batch = parse_whole("--batch", s->batch, 1, 1 << 20);
        const auto [graph, input] = s->size.graph(s->model);
        const Plan plan(graph, {input.with(0, batch)}, device.backend, purpose(*s, graph));
        s->json ? as_json(s->model.model, plan) : as_table(s->model.model, plan);
      };
    }};

}  // namespace loupe
