#include "engine/neurons/ways_back.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <map>
#include <set>

#include "engine/neurons/descent.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {

// A stage may grow to so many times the cells that it began with, before another begins with a tighter window.
constexpr int64_t kGrowth = 2;
// Units that go together at most; on a CPU as many as leave a stage's arrays in the cache of a core.
constexpr int64_t kBatch = 16, kBatchOfDevice = 64, kCacheBytes = 2 << 20;

size_t at(int64_t i) { return static_cast<size_t>(i); }

// A value that the way back reads and no step of it made.
std::optional<NodeId> reads_values(const Plan& plan) {
  std::set<ValueId> made{plan.seed()};
  for (size_t i = at(plan.forward_steps()); i < plan.steps().size(); ++i) {
    const PlanStep& s = plan.steps()[i];
    const auto missing = [&](ValueId v) { return v >= 0 && !made.contains(v); };
    for (const PlanOperand& o : s.operands)
      if (missing(o.value)) return s.node;
    for (const ValueId v : s.outputs) {
      if (!s.direction.is_forward() && missing(v)) return s.node;
      made.insert(v);
    }
    made.insert(s.grad);
  }
  return std::nullopt;
}

}  // namespace

WaysBack::WaysBack(Network& network, const Shape& input, NodeId layer)
    : network_(network),
      layer_(layer),
      geometry_(std::make_unique<Geometry>(Geometry{Cones(network.graph(), input, layer)})) {
  const Graph& graph = network_.graph();
  const Cones& cones = geometry_->cones;
  const std::vector<NodeId> cuts = cones.articulations();  // from the layer down to the input
  for (size_t i = 0; i + 1 < cuts.size();) {
    const int64_t most = std::max(kGrowth * cones.area(cuts[i]), cones.area(cuts[i + 1]));
    size_t j = i + 1;
    while (j + 1 < cuts.size() && cones.area(cuts[j + 1]) <= most) ++j;
    Stage s;
    s.top = cuts[i];
    s.bottom = cuts[j];
    for (int d = 0; d < 2; ++d) s.axis[at(d)] = cones.window(d, s.top, s.bottom);
    s.graph = graph;
    const Shape& nominal = cones.shape(s.bottom);
    s.input = s.graph.input("(window)", Shape{1, nominal[1], s.size(s.bottom).h, s.size(s.bottom).w});
    std::map<NodeId, NodeId> now{{s.bottom, s.input}};
    for (const NodeId n : cones.path()) {
      if (n <= s.bottom || n > s.top) continue;
      const Node& node = graph.node(n);
      std::vector<Port> operands = node.inputs;
      for (Port& p : operands)
        if (const auto found = now.find(p.node); found != now.end()) p.node = found->second;
      now[n] = s.graph.add(node.name + " (window)", node.op, operands);
      s.nodes.emplace_back(now[n], n);
    }
    s.result = now[s.top];
    s.graph.set_output(s.result);
    stages_.push_back(std::move(s));
    i = j;
  }
}

WaysBack::~WaysBack() = default;

std::shared_ptr<const Plan> WaysBack::plan(Stage& s, int64_t batch, const Rule& rule) {
  std::shared_ptr<const Plan>& plan = s.plans[rule.name + " " + std::to_string(batch)];
  if (plan) return plan;
  std::vector<Shape> inputs;
  for (const NodeId n : s.graph.inputs())
    inputs.push_back(n == s.input ? s.graph.node(n).shape().with(0, batch) : s.graph.node(n).shape());
  plan = std::make_shared<const Plan>(s.graph, inputs, network_.device().backend,
                                      Purpose{.from = s.result, .gradients = {s.input}, .rule = rule},
                                      network_.options());
  if (const auto node = reads_values(*plan))
    throw UsageError("the way back through '" + s.graph.node(*node).name +
                     "' reads more of the forward pass than masks and switches");
  return plan;
}

std::vector<int64_t> WaysBack::batches(int64_t units, const Rule& rule) {
  const bool device = network_.queue().module != nullptr;
  const auto wanted = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(units)));
  std::vector<int64_t> all;
  int64_t batch = std::min(wanted, device ? kBatchOfDevice : kBatch);
  for (Stage& s : stages_) {
    const int64_t one = std::max<int64_t>(plan(s, 1, rule)->arena_bytes(), 1);
    if (!device)
      batch = std::min(batch, static_cast<int64_t>(std::bit_floor(
                                  static_cast<uint64_t>(std::max<int64_t>(kCacheBytes / one, 1)))));
    all.push_back(batch);
  }
  return all;
}

std::vector<Reconstruction> WaysBack::run(std::span<const UnitPlace> units, const Rule& rule) {
  const Shape& shape = geometry_->cones.shape(layer_);
  for (const UnitPlace& u : units)
    if (u.channel < 0 || u.channel >= shape[1] || u.y < 0 || u.y >= shape[2] || u.x < 0 || u.x >= shape[3])
      throw UsageError("there is no unit " + std::to_string(u.channel) + " at (" + std::to_string(u.y) +
                       ", " + std::to_string(u.x) + ") of a layer " + shape.str());
  std::vector<Reconstruction> all(units.size());
  if (units.empty()) return all;
  const bool device = network_.queue().module != nullptr;
  const int64_t count = std::ssize(units), lanes = device ? 1 : max_threads();
  const std::vector<int64_t> batch = batches(ceil_div(count, lanes), rule);
  std::vector<std::shared_ptr<const Plan>> plans;
  int64_t arena = 1;
  for (size_t i = 0; i < stages_.size(); ++i) {
    plans.push_back(plan(stages_[i], batch[i], rule));
    arena = std::max(arena, plans.back()->arena_bytes());
  }
  std::vector<std::unique_ptr<Execution>> passes;
  std::vector<Descent> descents;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    const std::shared_ptr<Storage> own = device ? nullptr : Storage::allocate(arena);
    std::vector<Descent::Step> steps;
    for (size_t i = 0; i < stages_.size(); ++i) {
      if (!device) passes.push_back(std::make_unique<Execution>(network_, plans[i], own));
      steps.push_back({&stages_[i], device ? &network_.execution(plans[i]) : passes.back().get(), batch[i]});
      steps.back().pass->open_tape();
    }
    descents.emplace_back(network_, *geometry_, std::move(steps));
  }
  std::atomic<int64_t> next = 0;
  parallel_for(lanes, [&](int64_t lane) {
    for (int64_t begin; (begin = next.fetch_add(batch[0])) < count;) {
      const auto some = at(std::min(batch[0], count - begin));
      descents[at(lane)].run(units.subspan(at(begin), some), std::span(all).subspan(at(begin), some));
    }
  });
  return all;
}

int64_t WaysBack::macs() const {
  int64_t sum = 0;
  for (const Stage& s : stages_)
    for (const auto& [node, old] : s.nodes) sum += loupe::macs(s.graph, node);
  return sum;
}

int64_t WaysBack::whole_macs() const {
  int64_t sum = 0;
  for (const NodeId n : geometry_->cones.path()) {
    std::vector<Shape> operands;
    for (const Port& p : network_.graph().node(n).inputs)
      operands.push_back(network_.graph().node(p.node).is_weight() ? network_.graph().node(p.node).shape()
                                                                   : geometry_->cones.shape(p.node));
    if (network_.graph().node(n).op) sum += network_.graph().node(n).op->macs(operands);
  }
  return sum;
}

}  // namespace loupe
