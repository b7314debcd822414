#include "engine/neurons/ways_back.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "engine/neurons/cones.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {

// A stage may grow to so many times the cells that it began with, before another begins with a tighter window.
constexpr int64_t kGrowth = 2;
// Units whose signals are in memory at once; and how many go together on a CPU, whose caches should hold them.
constexpr int64_t kUnits = 192, kBatch = 16, kBatchOfDevice = 64, kCacheBytes = 16 << 20;

size_t at(int64_t i) { return static_cast<size_t>(i); }

// Copies rows [from_y, …) and columns [from_x, …) of planes to a place in others.
struct Planes {
  std::byte* data;
  Pair size;  // of a plane
  Pair origin;
};
void copy_window(const Planes& from, const Planes& to, int64_t planes, Pair size, int64_t element) {
  for (int64_t c = 0; c < planes; ++c)
    for (int64_t y = 0; y < size.h; ++y)
      std::memcpy(to.data + ((c * to.size.h + to.origin.h + y) * to.size.w + to.origin.w) * element,
                  from.data + ((c * from.size.h + from.origin.h + y) * from.size.w + from.origin.w) * element,
                  at(size.w * element));
}

Pair map_of(const Shape& s) { return {s[s.rank() - 2], s[s.rank() - 1]}; }
Planes planes_of(const Tensor& t, Pair origin) { return {t.raw(), map_of(t.shape()), origin}; }

// At a window's edge a pool's cell that lies outside every cone may have its largest value outside the window. No signal
// comes to it: its switch may point to any cell that is there.
void keep_inside(const Tensor& switches, const Window& pool, Pair size) {
  const Pair cells = map_of(switches.shape());
  const auto reaches = [](int64_t cell, int64_t stride, int64_t padding, int64_t kernel, int64_t dilation,
                          int64_t map) {
    return std::pair(cell * stride - padding < 0 || cell * stride - padding + (kernel - 1) * dilation >= map,
                     cell * stride - padding);
  };
  const auto inside = [](int64_t k, int64_t first, int64_t dilation, int64_t kernel, int64_t map) {
    while (k < kernel - 1 && first + k * dilation < 0) ++k;
    while (k > 0 && first + k * dilation >= map) --k;
    return k;
  };
  uint8_t* data = switches.values<uint8_t>().data();
  parallel_for(switches.numel() / (cells.h * cells.w), [&](int64_t plane) {
    uint8_t* s = data + plane * cells.h * cells.w;
    for (int64_t y = 0; y < cells.h; ++y) {
      const auto [rows, top] =
          reaches(y, pool.stride.h, pool.padding.h, pool.kernel.h, pool.dilation.h, size.h);
      for (int64_t x = 0; x < cells.w; ++x) {
        const auto [columns, left] =
            reaches(x, pool.stride.w, pool.padding.w, pool.kernel.w, pool.dilation.w, size.w);
        if (!rows && !columns) continue;
        uint8_t& k = s[y * cells.w + x];
        const int64_t ky = inside(k / pool.kernel.w, top, pool.dilation.h, pool.kernel.h, size.h),
                      kx = inside(k % pool.kernel.w, left, pool.dilation.w, pool.kernel.w, size.w);
        k = static_cast<uint8_t>(ky * pool.kernel.w + kx);
      }
    }
  });
}

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

struct WaysBack::Stage {
  NodeId top = -1, bottom = -1;
  std::array<WindowAxis, 2> axis = {};  // rows, columns
  Graph graph = {};
  NodeId input = -1, result = -1;
  std::vector<std::pair<NodeId, NodeId>> nodes = {};  // of `graph`, and which of the network's it is
  std::map<std::string, std::shared_ptr<const Plan>> plans = {};

  Pair size(NodeId n) const { return {axis[0].sizes.at(n), axis[1].sizes.at(n)}; }
  Pair origin(NodeId n, const UnitPlace& u) const { return {axis[0].origin(u.y, n), axis[1].origin(u.x, n)}; }
};

struct WaysBack::Geometry {
  Cones cones;
  Pair first(NodeId n, const UnitPlace& u) const {
    return {cones.span(0, u.y, n).begin, cones.span(1, u.x, n).begin};
  }
  Pair size(NodeId n, const UnitPlace& u) const {
    const CellSpan h = cones.span(0, u.y, n), w = cones.span(1, u.x, n);
    return {h.end - h.begin, w.end - w.begin};
  }
};

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

Tape WaysBack::record(Network& network, const Tensor& x, std::span<const NodeId> layers) {
  const Graph& graph = network.graph();
  Purpose purpose;
  const NodeId last = *std::ranges::max_element(layers);
  for (NodeId n = 0; n <= last; ++n) {
    const Node& node = graph.node(n);
    if (node.op && node.op->record(graph.operand_shapes(n)) &&
        std::ranges::any_of(layers, [&](NodeId l) { return leads_to(graph, n, l); }))
      purpose.records.push_back(n);
  }
  if (purpose.records.empty()) return {};
  Execution& pass = network.execution(x.shape(), purpose);
  pass.forward(x);
  Tape tape;
  for (const NodeId n : purpose.records) tape[n] = pass.record(n).row(0);
  return tape;
}

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

// The signals at the stage's top, of units [0, …), become those at its bottom.
void WaysBack::run(Stage& s, std::span<const UnitPlace> units, std::vector<Tensor>& signals,
                   const Rule& rule) {
  const Geometry& g = *geometry_;
  const bool device = network_.queue().module != nullptr;
  const int64_t one = std::max<int64_t>(plan(s, 1, rule)->arena_bytes(), 1);
  const int64_t batch = std::min<int64_t>(
      std::ssize(units), device ? kBatchOfDevice : std::clamp<int64_t>(kCacheBytes / one, 1, kBatch));
  const std::shared_ptr<const Plan> chosen = plan(s, batch, rule);
  Execution& pass = network_.execution(chosen);
  const Dtype real = network_.device().compute_dtype();
  const int64_t element = dtype_bytes(real), channels = g.cones.shape(s.top)[1],
                below = g.cones.shape(s.bottom)[1];
  const Pair size = s.size(s.top), size_below = s.size(s.bottom);
  for (int64_t begin = 0; begin < std::ssize(units); begin += batch) {
    if (begin == 0) {
      std::vector<Tensor> zeros;
      for (const Shape& shape : chosen->inputs()) zeros.push_back(Tensor::zeros(Dtype::f32, shape));
      pass.forward(zeros);
    } else {
      pass.again();  // nothing changed, so nothing runs
    }
    // Of a last batch that is not full, the units after its last one are it once more.
    const auto unit = [&](int64_t b) { return std::min(begin + b, std::ssize(units) - 1); };
    for (const auto& [node, old] : s.nodes) {
      if (chosen->record_of(node) < 0) continue;
      const Tensor& whole = units[0].tape->at(old);
      const Tensor window(whole.dtype(), {batch, whole.shape()[0], s.size(old).h, s.size(old).w});
      parallel_for(batch, [&, old = old](int64_t b) {
        const UnitPlace& u = units[at(unit(b))];
        copy_window(planes_of(u.tape->at(old), s.origin(old, u)), planes_of(window.row(b), 0),
                    window.shape()[1], s.size(old), dtype_bytes(window.dtype()));
      });
      const Node& n = network_.graph().node(old);
      if (n.op->kind().name == "max_pool2d") keep_inside(window, *n.op->window(), s.size(n.inputs[0].node));
      pass.set_record(node, window);
    }
    const Tensor seed = Tensor::zeros(real, {batch, channels, size.h, size.w});
    parallel_for(batch, [&](int64_t b) {
      const UnitPlace& u = units[at(unit(b))];
      const Pair first = g.first(s.top, u), origin = s.origin(s.top, u);
      copy_window(planes_of(signals[at(unit(b))], 0),
                  planes_of(seed.row(b), {first.h - origin.h, first.w - origin.w}), channels,
                  g.size(s.top, u), element);
    });
    pass.backward(seed);
    const Tensor gradient = pass.gradient(s.input);
    std::vector<Tensor> next;
    for (int64_t b = 0; b < std::min(batch, std::ssize(units) - begin); ++b) {
      const Pair cone = g.size(s.bottom, units[at(unit(b))]);
      next.emplace_back(real, Shape{below, cone.h, cone.w});
    }
    parallel_for(std::ssize(next), [&](int64_t b) {
      const UnitPlace& u = units[at(unit(b))];
      const Pair first = g.first(s.bottom, u), origin = s.origin(s.bottom, u);
      copy_window({gradient.row(b).raw(), size_below, {first.h - origin.h, first.w - origin.w}},
                  planes_of(next[at(b)], 0), below, g.size(s.bottom, u), element);
    });
    // Those that are read again in this batch were copied above.
    std::ranges::move(next, signals.begin() + begin);
  }
}

std::vector<Reconstruction> WaysBack::run(std::span<const UnitPlace> units, const Rule& rule) {
  const Shape& shape = geometry_->cones.shape(layer_);
  for (const UnitPlace& u : units)
    if (u.channel < 0 || u.channel >= shape[1] || u.y < 0 || u.y >= shape[2] || u.x < 0 || u.x >= shape[3])
      throw UsageError("there is no unit " + std::to_string(u.channel) + " at (" + std::to_string(u.y) +
                       ", " + std::to_string(u.x) + ") of a layer " + shape.str());
  std::vector<Reconstruction> all;
  for (size_t begin = 0; begin < units.size(); begin += at(kUnits)) {
    const auto some = units.subspan(begin, std::min(at(kUnits), units.size() - begin));
    std::vector<Tensor> signals;
    for (const UnitPlace& u : some) {
      const Tensor& seed =
          signals.emplace_back(Tensor::zeros(network_.device().compute_dtype(), {shape[1], 1, 1}));
      if (seed.dtype() == Dtype::f64)
        seed.values<double>()[at(u.channel)] = 1;
      else
        seed.values<float>()[at(u.channel)] = 1;
    }
    for (Stage& s : stages_) run(s, some, signals, rule);
    for (size_t i = 0; i < some.size(); ++i) {
      const Pair first = geometry_->first(geometry_->cones.input(), some[i]);
      all.push_back({std::move(signals[i]), first.h, first.w});
    }
  }
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
