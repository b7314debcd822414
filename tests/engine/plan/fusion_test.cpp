// What a plan folds and fuses, forward and on the way back, and which purposes it refuses.
#include <doctest/doctest.h>

#include <algorithm>

#include "models/io/formula.h"
#include "models/models.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

TEST_CASE("a folded batch norm changes nothing but rounding") {
  for (const char* name : {"resnet18", "googlenet", "densenet121", "mobilenet_v2"}) {
    CAPTURE(name);
    ImageModel model = small(name, Backend::ref);
    Network& net = model.network;
    const Purpose purpose{.values = {net.graph().output()}, .from = net.graph().output(), .gradients = {0}};
    const Plan plain =
                   plan_for(net.graph(), 1, Backend::ref, purpose, {.fold_batch_norm = false, .fuse = false}),
               folded =
                   plan_for(net.graph(), 1, Backend::ref, purpose, {.fold_batch_norm = true, .fuse = false});
    CHECK(folded.forward_steps() < plain.forward_steps());
    CHECK(std::ranges::any_of(folded.steps(), [](const PlanStep& s) {
      return std::ranges::any_of(s.operands, [](const PlanOperand& o) { return o.weight.batch_norm >= 0; });
    }));
    const Tensor x = formula_input({1, 3, kSize, kSize}),
                 seed = seed_channels({1, 10}, std::vector<int64_t>{7});
    const Result a = run(net, plain, {x}, seed), b = run(net, folded, {x}, seed);
    CHECK(relative_l2(b.values[0], a.values[0]) <= 1e-12);
    CHECK(relative_l2(b.gradients[0], a.gradients[0]) <= 1e-12);
  }
}

TEST_CASE("fused functions and residual sums change no bit, nor what the tape keeps") {
  for (const char* name : {"squeezenet1_1", "resnet18", "mobilenet_v2"})
    for (const Backend backend : backends(name)) {
      if (backend == Backend::ref) continue;  // it fuses nothing
      CAPTURE(name);
      CAPTURE(backend_name(backend));
      ImageModel model = small(name, backend);
      Network& net = model.network;
      const std::vector<NodeId> functions = functions_of(net.graph());
      const Purpose purpose{.values = {net.graph().output()},
                            .from = net.graph().output(),
                            .gradients = {0},
                            .records = functions};
      const Plan fused = plan_for(net.graph(), 2, backend, purpose, {.fuse = true}),
                 plain = plan_for(net.graph(), 2, backend, purpose, {.fuse = false});
      int taken = 0, of_functions = 0;
      for (int i = 0; i < fused.forward_steps(); ++i) {
        const Epilogue& e = fused.steps()[static_cast<size_t>(i)].epilogue;
        of_functions += static_cast<bool>(e.function);
        taken += static_cast<bool>(e.function) + e.residual;
      }
      CHECK(plain.forward_steps() == fused.forward_steps() + taken);
      CHECK(of_functions == static_cast<int>(functions.size()));
      const Tensor x = formula_input({2, 3, kSize, kSize}),
                   seed = seed_channels({2, 10}, std::vector<int64_t>{7, 1});
      const Result a = run(net, plain, {x}, seed), b = run(net, fused, {x}, seed);
      CHECK(same_bits(a.values[0], b.values[0]));
      CHECK(same_bits(a.gradients[0], b.gradients[0]));
      for (size_t i = 0; i < a.records.size(); ++i) CHECK(same_bits(a.records[i], b.records[i]));
    }
}

TEST_CASE(
    "rows of gradient, guided backprop and deconvnet run in the vjp above them, and change no bit there") {
  using Row = Epilogue::Row;
  for (const char* name : {"squeezenet1_1", "resnet18", "mobilenet_v2"})
    for (const auto& [rule, row] : {std::pair{gradient_rule(), Row::slope},
                                    {guided_backprop_rule(), Row::guided},
                                    {deconvnet_rule(), Row::deconvnet}}) {
      CAPTURE(name);
      CAPTURE(rule.name);
      const auto rows = [row = row](const Plan& plan) {
        return std::ranges::count_if(plan.steps(), [&](const PlanStep& s) { return s.epilogue.row == row; });
      };
      const Graph graph = models::build(name, {.classes = 10, .height = kSize, .width = kSize}).graph;
      const Purpose purpose{
          .values = {graph.output()}, .from = graph.output(), .gradients = {0}, .rule = rule};
      for (const Backend backend : {Backend::cpu, Backend::cuda, Backend::sim}) {  // a plan needs no device
        CAPTURE(backend_name(backend));
        const Plan fused = plan_for(graph, 1, backend, purpose, {.fuse = true}),
                   plain = plan_for(graph, 1, backend, purpose, {.fuse = false});
        CHECK(rows(fused) >= 8);
        CHECK(rows(plain) == 0);
        CHECK(fused.steps().size() < plain.steps().size());
      }
      for (const Backend backend : backends(name)) {
        if (backend == Backend::ref) continue;
        CAPTURE(backend_name(backend));
        ImageModel model = small(name, backend);
        const Plan fused = plan_for(graph, 2, backend, purpose, {.fuse = true}),
                   plain = plan_for(graph, 2, backend, purpose, {.fuse = false});
        const Tensor x = formula_input({2, 3, kSize, kSize}),
                     seed = seed_channels({2, 10}, std::vector<int64_t>{7, 1});
        CHECK(
            same_bits(run(model, fused, {x}, seed).gradients[0], run(model, plain, {x}, seed).gradients[0]));
      }
    }
}

TEST_CASE("a node that is asked for or edited is not fused away") {
  const Graph graph = models::build("resnet18", {.height = kSize, .width = kSize}).graph;
  const NodeId conv = graph.find("layer1.0.conv1"), norm = graph.find("layer1.0.bn1"),
               relu = graph.find("layer1.0.relu");
  const Plan plain = plan_for(graph, 1, Backend::cpu, {.values = {graph.output()}});
  CHECK(plain.value_of(conv) < 0);
  CHECK(plain.value_of(norm) < 0);
  CHECK(plain.value_of(relu) >= 0);
  const Plan asked = plan_for(graph, 1, Backend::cpu, {.values = {conv, norm}});
  CHECK(asked.value_of(conv) >= 0);
  CHECK(asked.value_of(norm) >= 0);
  CHECK(asked.value_of(relu) < 0);  // nobody needs it
  const Plan edited = plan_for(graph, 1, Backend::cpu, {.values = {graph.output()}, .edits = {{.at = norm}}});
  CHECK(edited.value_of(conv) < 0);
  CHECK(edited.value_of(norm) >= 0);

  ImageModel net = small("resnet18", Backend::cpu), oracle = small("resnet18", Backend::ref);
  const Tensor x = formula_input({1, 3, kSize, kSize});
  const Result ours = run(net, {.values = {conv, norm, relu}}, x, {}),
               theirs = run(oracle, {.values = {conv, norm, relu}}, x, {});
  for (size_t i = 0; i < 3; ++i) CHECK(relative_l2(ours.values[i], theirs.values[i]) < 1e-6);
}

TEST_CASE("purposes that make no sense are refused") {
  const Graph g = branching();
  const NodeId pool = g.find("pool"), fc = g.find("fc"), conv = g.find("conv1");
  const auto refusal = [&](const Purpose& p, int64_t batch = 1) {
    return usage_error([&] { plan_for(g, batch, Backend::ref, p); });
  };
  CHECK(refusal({.gradients = {0}}) == "a gradient needs a node to start from");
  CHECK(refusal({.from = pool, .gradients = {fc}}).starts_with("layer 'fc' does not lead to 'pool'"));
  CHECK(refusal({.values = {fc}, .from = conv, .gradients = {pool}}).find("does not lead to") !=
        std::string::npos);
  CHECK(refusal({.values = {fc}}, 0) == "a batch holds at least one image, not 0");
  CHECK(refusal({.values = {g.parameters(fc)[0]}}) == "'fc.weight' is a weight, not a value of a pass");
  CHECK(refusal({.values = {conv}, .edits = {{.at = fc}}}) ==
        "an edit of 'fc' changes nothing that the pass reads");
  CHECK(refusal({.values = {fc}, .edits = {{.at = g.parameters(fc)[0]}}}) ==
        "an edit of 'fc.weight' changes nothing that the pass reads");
}

}  // namespace
}  // namespace loupe::test
