// Where a plan puts its values: places that never overlap while they are in use, and an arena hardly larger
// than needed.
#include <doctest/doctest.h>

#include <algorithm>

#include "models/io/formula.h"
#include "models/models.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

// Replays a plan's reads and writes on its addresses: whatever a step reads is still there, and so is what is
// handed back. Where there are edits, the steps from each on run once more.
class Replay {
 public:
  explicit Replay(const Plan& plan) : plan_(plan) {
    for (const PlanStep& s : plan.steps())
      for (ValueId v : writes(s)) written_.insert(v);
    for (NodeId n : plan.graph().inputs())
      if (plan.input_value(n) >= 0) write(plan.input_value(n));
    for (const Plan::PlannedEdit& e : plan.edits()) write(e.mask), write(e.numbers);
    steps(0, plan.forward_steps());
    for (const Plan::PlannedEdit& e : plan.edits()) {
      CHECK((holds(e.mask) && holds(e.numbers)));
      steps(e.step, plan.forward_steps());
    }
    handed_back();
    if (plan.seed() >= 0) write(plan.seed());
    steps(plan.forward_steps(), static_cast<int>(plan.steps().size()));
    handed_back();
    for (NodeId n : plan.purpose().gradients) CHECK(holds(plan.gradient_of(n)));
  }

 private:
  struct Content {
    int64_t begin, end;
    ValueId value;
  };

  void handed_back() {
    for (const Port& p : plan_.purpose().values) CHECK(holds(plan_.value_of(p)));
    for (NodeId n : plan_.purpose().records) CHECK(holds(plan_.record_of(n)));
  }
  void steps(int begin, int end) {
    for (int i = begin; i < end; ++i) step(plan_.steps()[static_cast<size_t>(i)]);
  }
  void step(const PlanStep& s) {
    CAPTURE(s.op->kind().name);
    CAPTURE(s.op->kind().direction_name(s.direction));
    CAPTURE((s.node < 0 ? "" : plan_.graph().node(s.node).name));
    for (ValueId v : reads(s)) CHECK(holds(v));
    for (ValueId v : writes(s))
      for (ValueId other :
           reads(s)) {  // only an in-place op may write where it reads, and only over its first operand
        const ValueId first = s.direction.is_forward() ? s.operands.at(0).value : s.grad_outputs.at(0);
        if (!s.op->in_place() || other != first) CHECK_FALSE(overlap(v, other));
      }
    for (ValueId v : writes(s))
      for (ValueId other : writes(s))
        if (v != other) CHECK_FALSE(overlap(v, other));
    for (ValueId v : writes(s)) write(v);
  }
  Content place(ValueId v) const {
    const PlanValue& value = plan_.value(v);
    const int64_t offset = plan_.slot(value.slot).offset;
    return {offset, offset + array_bytes(value.type.dtype, value.type.shape, value.type.layout), v};
  }
  bool overlap(ValueId a, ValueId b) const {
    return place(a).begin < place(b).end && place(b).begin < place(a).end;
  }
  void write(ValueId v) {
    const Content c = place(v);
    CHECK(c.begin % 64 == 0);
    CHECK(c.end <= plan_.arena_bytes());
    CHECK(c.end - c.begin <= plan_.slot(plan_.value(v).slot).bytes);
    std::erase_if(contents_, [&](const Content& old) { return old.begin < c.end && c.begin < old.end; });
    contents_.push_back(c);
  }
  // A view is never written: what it shows is what its slot holds.
  bool holds(ValueId v) const {
    if (v < 0) return false;
    const Content c = place(v);
    return std::ranges::any_of(contents_, [&](const Content& old) {
      if (old.value == v) return true;
      const bool view = !written_.contains(v) && plan_.value(old.value).slot == plan_.value(v).slot;
      return view && old.begin == c.begin && old.end >= c.end;
    });
  }

  const Plan& plan_;
  std::set<ValueId> written_;
  std::vector<Content> contents_;
};

// The slots that the steps of a plan use.
std::set<int> used_slots(const Plan& plan) {
  std::set<int> ids;
  for (const PlanStep& s : plan.steps())
    for (const std::vector<ValueId>& used : {reads(s), writes(s)})
      for (ValueId v : used) ids.insert(plan.value(v).slot);
  return ids;
}

void check_lifetimes(const Plan& plan) {
  for (size_t i = 0; i < plan.steps().size(); ++i)
    for (const std::vector<ValueId>& used : {reads(plan.steps()[i]), writes(plan.steps()[i])})
      for (ValueId v : used) {
        const PlanSlot& b = plan.slot(plan.value(v).slot);
        CHECK(b.first <= static_cast<int>(i));
        CHECK(b.last >= static_cast<int>(i));
      }
  const std::set<int> ids = used_slots(plan);
  for (int a : ids)
    for (int b : ids) {
      const PlanSlot &p = plan.slot(a), &q = plan.slot(b);
      if (a < b && p.first <= q.last && q.first <= p.last)
        CHECK((p.offset + p.bytes <= q.offset || q.offset + q.bytes <= p.offset));
    }
}

const char* const kNetworks[] = {"squeezenet1_1", "resnet18",     "googlenet",
                                 "densenet121",   "mobilenet_v2", "vgg11_bn"};

TEST_CASE("values that live at the same time never overlap, and nothing is read after it was overwritten") {
  for (const char* name : kNetworks)
    for (const Backend backend : kBackends)  // a plan needs no device
      for (const Rule& rule : {gradient_rule(), guided_backprop_rule(), deconvnet_rule()}) {
        CAPTURE(name);
        CAPTURE(backend_name(backend));
        CAPTURE(rule.name);
        const Model model = models::build(name, {.classes = 10, .height = 64, .width = 64});
        const Graph& graph = model.graph;
        const NodeId trunk = graph.find(model.trunk), middle = middle_op(graph);
        std::vector<NodeId> functions = functions_of(graph);
        functions.resize(3);
        const Plan plan = plan_for(graph, 2, backend,
                                   {.values = {graph.output(), trunk, middle},
                                    .from = graph.output(),
                                    .gradients = {0, trunk},
                                    .records = functions,
                                    .rule = rule});
        check_lifetimes(plan);
        Replay{plan};
      }
}

TEST_CASE("with edits, what the steps behind each need stays in its place") {
  for (const char* name : {"squeezenet1_1", "resnet18"})
    for (const Backend backend : kBackends) {
      CAPTURE(name);
      CAPTURE(backend_name(backend));
      const Model model = models::build(name, {.classes = 10, .height = 64, .width = 64});
      const Graph& graph = model.graph;
      const std::vector<NodeId> functions = functions_of(graph);
      const Plan plan = plan_for(graph, 2, backend,
                                 {.values = {graph.output()},
                                  .from = graph.output(),
                                  .gradients = {0},
                                  .edits = {{.at = functions[3], .kind = Edit::Kind::scale},
                                            {.at = functions[1], .kind = Edit::Kind::set},
                                            {.at = functions[3], .kind = Edit::Kind::add}}});
      check_lifetimes(plan);
      Replay{plan};
    }
}

TEST_CASE("sharing memory changes no bit") {
  for (const char* name : {"squeezenet1_1", "resnet18", "densenet121", "mobilenet_v2"})
    for (const Backend backend : backends(name)) {
      ImageModel model = small(name, backend);
      Network& net = model.network;
      for (const Rule& rule : {gradient_rule(), guided_backprop_rule(), deconvnet_rule()}) {
        if (backend == Backend::sim && rule.name != gradient_rule().name) continue;  // slow
        CAPTURE(name);
        CAPTURE(backend_name(backend));
        CAPTURE(rule.name);
        const Graph& graph = net.graph();
        const NodeId trunk = graph.find(model.trunk), middle = middle_op(graph);
        const Purpose purpose{.values = {graph.output(), trunk, middle, 0},
                              .from = graph.output(),
                              .gradients = {0, middle, trunk},
                              .rule = rule};
        PlanOptions apart = PlanOptions::for_backend(backend);
        apart.share_memory = false;
        const Tensor x = formula_input({1, 3, kSize, kSize}),
                     seed = seed_channels({1, 10}, std::vector<int64_t>{3});
        const Plan shared_plan = plan_for(graph, 1, backend, purpose),
                   apart_plan = plan_for(graph, 1, backend, purpose, apart);
        CHECK(shared_plan.arena_bytes() < apart_plan.arena_bytes() / 2);
        const Result a = run(net, shared_plan, {x}, seed), b = run(net, apart_plan, {x}, seed);
        for (size_t i = 0; i < a.values.size(); ++i) CHECK(same_bits(a.values[i], b.values[i]));
        for (size_t i = 0; i < a.gradients.size(); ++i) CHECK(same_bits(a.gradients[i], b.gradients[i]));
        CHECK(relative_l2(a.values[3], x) == 0);
      }
    }
}

// The most bytes that are in use in one step.
int64_t must_live(const Plan& plan) {
  int64_t most = 0;
  const std::set<int> ids = used_slots(plan);
  for (int i = 0; i < static_cast<int>(plan.steps().size()); ++i) {
    int64_t bytes = 0;
    for (int id : ids)
      if (plan.slot(id).first <= i && i <= plan.slot(id).last) bytes += plan.slot(id).bytes;
    most = std::max(most, bytes);
  }
  return most;
}

TEST_CASE(
    "SqueezeNet's arena is hardly larger than what must be alive at once; its tape is bits and switches") {
  const Graph graph = models::build("squeezenet1_1").graph;
  const Plan forward = plan_for(graph, 1, Backend::cpu, {.values = {graph.output()}});
  const Plan gradient = plan_for(graph, 1, Backend::cpu,
                                 {.values = {graph.output()}, .from = graph.output(), .gradients = {0}});
  MESSAGE("forward: arena " << forward.arena_bytes() << " of at least " << must_live(forward)
                            << " bytes; gradient: " << gradient.arena_bytes() << " of at least "
                            << must_live(gradient) << ", tape " << gradient.tape_bytes());
  CHECK(static_cast<double>(forward.arena_bytes()) <= 1.05 * static_cast<double>(must_live(forward)));
  CHECK(static_cast<double>(gradient.arena_bytes()) <= 1.05 * static_cast<double>(must_live(gradient)));
  CHECK(forward.arena_bytes() < 8 << 20);
  CHECK(forward.tape_bytes() == 0);
  int64_t tape = 0;  // one bit an element of a ReLU, one byte an output of a pool; blocked
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op)
      if (const auto record = graph.node(n).op->record(graph.operand_shapes(n)))
        tape += array_bytes(record->dtype, record->shape, Layout::blocked);
  CHECK(gradient.tape_bytes() == tape);
}

}  // namespace
}  // namespace loupe::test
