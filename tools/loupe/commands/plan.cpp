// `loupe plan`: the kernel calls of one pass, and where each array lies in the arena.
#include "engine/run/plan.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "models/io/suggest.h"
#include "tools/loupe/command.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Settings {
  ModelChoice model;
  SizeChoice size;
  std::string rule, from, to, batch = "1", device;
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

void as_json(const std::string& model, const Plan& plan) {
  auto steps = nlohmann::ordered_json::array();
  for (const PlanStep& step : plan.steps()) {
    const PlanValue& v = plan.value(step.grad >= 0 ? step.grad : step.output);
    nlohmann::ordered_json row{{"direction", direction_name(step.direction)},
                               {"op", step.op->kind().name},
                               {"node", plan.graph().node(step.node).name},
                               {"writes", std::vector<int64_t>(v.shape.dims().begin(), v.shape.dims().end())},
                               {"offset", plan.block(v.block).offset},
                               {"bytes", array_bytes(v.dtype, v.shape, v.layout)},
                               {"how", step.note}};
    if (step.saved >= 0) row["tape"] = dtype_name(plan.value(step.saved).dtype);
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
      value_option(app, "--device", s->device, "D", "cpu or ref (the fastest there is)");
      app.add_flag("--json", s->json, "For programs")->group("Options");
      return [s] {
        s->model.check_name();
        const Device device = s->device.empty() ? Device::best() : Device::parse(s->device);
        const int64_t batch = parse_whole("--batch", s->batch, 1, 1 << 20);
        const Graph graph = models::build(s->model.model, s->size.with(s->model)).graph;
        const Plan plan(graph, batch, device.backend, purpose(*s, graph));
        s->json ? as_json(s->model.model, plan) : print(plan.str());
      };
    }};

}  // namespace loupe
