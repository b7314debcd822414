#include "engine/neurons/ways_back.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "engine/neurons/cones.h"
#include "engine/tensor/transfer.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {

// A stage may grow to so many times the cells that it began with, before another begins with a tighter window.
constexpr int64_t kGrowth = 2;
// Units whose signals are in memory at once; and how many go together on a CPU, whose caches should hold them.
constexpr int64_t kUnits = 32, kBatch = 16, kBatchOfDevice = 64, kCacheBytes = 2 << 20;

size_t at(int64_t i) { return static_cast<size_t>(i); }

// At a window's edge a pool's cell that lies outside every cone may have its largest value outside the window. No signal
// comes to it: its switch may point to any cell that is there.
void keep_inside(const Maps& switches, const Window& pool, Pair map) {
  struct Axis {
    int64_t kernel, dilation, cells;
    std::vector<int64_t> first;  // by cell: where its window begins
    bool reaches_out(int64_t cell) const {
      return first[at(cell)] < 0 || first[at(cell)] + (kernel - 1) * dilation >= cells;
    }
    int64_t inside(int64_t cell, int64_t k) const {
      while (k < kernel - 1 && first[at(cell)] + k * dilation < 0) ++k;
      while (k > 0 && first[at(cell)] + k * dilation >= cells) --k;
      return k;
    }
  };
  const auto axis = [](int64_t count, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                       int64_t cells) {
    Axis a{kernel, dilation, cells, {}};
    for (int64_t i = 0; i < count; ++i) a.first.push_back(i * stride - padding);
    return a;
  };
  const Axis rows =
                 axis(switches.size.h, pool.kernel.h, pool.stride.h, pool.padding.h, pool.dilation.h, map.h),
             columns =
                 axis(switches.size.w, pool.kernel.w, pool.stride.w, pool.padding.w, pool.dilation.w, map.w);
  for (int64_t y = 0; y < switches.size.h; ++y)
    for (int64_t x = 0; x < switches.size.w; ++x) {
      if (!rows.reaches_out(y) && !columns.reaches_out(x)) continue;
      for (int64_t p = 0; p < switches.planes; ++p) {
        auto* k = reinterpret_cast<uint8_t*>(switches.at(p, y, x));
        for (int64_t lane = 0; lane < switches.cell; ++lane)
          k[lane] = static_cast<uint8_t>(rows.inside(y, k[lane] / pool.kernel.w) * pool.kernel.w +
                                         columns.inside(x, k[lane] % pool.kernel.w));
      }
    }
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

namespace {

// Where a record of a batch is written: in its place, or beside it where the plan wants it in another form.
struct RecordPlace {
  NodeId node, old;
  Array array;         // in its place
  Tensor beside;       // or (N, C, h, w)
  const Window* pool;  // of a max-pool, whose operand is of that size
  Pair below;
  Maps maps(int64_t image) const { return maps_of(beside.defined() ? beside.array() : array, image); }
};

// The same numbers in that layout.
void lay_out(OwnArray& signal, Layout layout) {
  if (signal.array.layout == layout) return;
  OwnArray other(signal.array.dtype, signal.array.shape, layout);
  convert(signal.array, other.array);
  signal = other;
}

}  // namespace

// Cuts the units' windows out of their pictures' tapes.
void WaysBack::fill_tape(const Stage& s, std::span<const UnitPlace> units, Execution& pass) const {
  const Graph& graph = network_.graph();
  const bool device = network_.queue().module != nullptr;
  std::vector<RecordPlace> places;
  std::vector<Window> pools;
  pools.reserve(s.nodes.size());
  for (const auto& [node, old] : s.nodes) {
    if (pass.plan().record_of(node) < 0) continue;
    const Array &whole = units[0].tape->at(old), to = pass.record_in_place(node);
    RecordPlace& place = places.emplace_back(RecordPlace{node, old, to, {}, nullptr, 0});
    if (device || !has_cells(to) || to.dtype != whole.dtype || to.layout != whole.layout)
      place.beside = Tensor(whole.dtype == Dtype::bit ? Dtype::u8 : whole.dtype, to.shape);
    if (const Node& n = graph.node(old); n.op->kind().name == "max_pool2d") {
      place.pool = &pools.emplace_back(*n.op->window());
      place.below = s.size(n.inputs[0].node);
    }
  }
  parallel_for(std::ssize(units), [&](int64_t b) {
    const UnitPlace& u = units[at(b)];
    for (const RecordPlace& place : places) {
      const Array& whole = u.tape->at(place.old);
      const Pair origin = s.origin(place.old, u);
      if (place.beside.defined())
        copy_planar(whole, 0, origin, place.beside.row(b));
      else
        copy_window(maps_of(whole, 0), origin, s.size(place.old), place.maps(b), 0);
      if (place.pool) keep_inside(place.maps(b), *place.pool, place.below);
    }
  });
  for (const RecordPlace& place : places)
    if (place.beside.defined()) pass.set_record(place.node, place.beside);
}

// The signals at the stage's top, of all units, become those at its bottom.
void WaysBack::run(Stage& s, std::span<const UnitPlace> units, std::vector<OwnArray>& signals,
                   const Rule& rule) {
  const Geometry& g = *geometry_;
  const bool device = network_.queue().module != nullptr;
  const int64_t one = std::max<int64_t>(plan(s, 1, rule)->arena_bytes(), 1);
  const int64_t batch = std::min<int64_t>(
      std::ssize(units), device ? kBatchOfDevice : std::clamp<int64_t>(kCacheBytes / one, 1, kBatch));
  Execution& pass = network_.execution(plan(s, batch, rule));
  const Dtype real = network_.device().compute_dtype();
  const bool last = &s == &stages_.back();
  for (int64_t begin = 0; begin < std::ssize(units); begin += batch) {
    // Of a last batch that is not full, the units after its last one are it once more.
    std::vector<UnitPlace> some;
    for (int64_t b = 0; b < batch; ++b) some.push_back(units[at(std::min(begin + b, std::ssize(units) - 1))]);
    const int64_t fresh = std::min(batch, std::ssize(units) - begin);
    pass.open_tape();
    fill_tape(s, some, pass);
    const Array place = pass.seed_in_place();
    const Tensor beside = device ? Tensor(real, place.shape) : Tensor();
    const Array seed = device ? beside.array() : place;
    for (int64_t b = 0; b < fresh; ++b) lay_out(signals[at(begin + b)], seed.layout);
    parallel_for(batch, [&](int64_t b) {
      const UnitPlace& u = some[at(b)];
      const Pair first = g.first(s.top, u), origin = s.origin(s.top, u);
      copy_into_zeros(maps_of(signals[at(begin + std::min(b, fresh - 1))].array, 0), 0, g.size(s.top, u),
                      maps_of(seed, b), {first.h - origin.h, first.w - origin.w});
    });
    if (device) upload(network_.queue(), beside, place);
    pass.backward_from_seed();
    const Tensor copy = device ? pass.gradient(s.input) : Tensor();
    const Array gradient = device ? copy.array() : pass.gradient_in_place(s.input);
    parallel_for(fresh, [&](int64_t b) {
      const UnitPlace& u = some[at(b)];
      const Pair first = g.first(s.bottom, u), origin = s.origin(s.bottom, u), size = g.size(s.bottom, u);
      const Pair from{first.h - origin.h, first.w - origin.w};
      const Shape shape{1, g.cones.shape(s.bottom)[1], size.h, size.w};
      OwnArray& next = signals[at(begin + b)] =
          OwnArray(real, shape, last ? Layout::planar : gradient.layout);
      if (last)
        copy_planar(gradient, b, from, Tensor(real, {shape[1], size.h, size.w}, next.memory));
      else
        copy_window(maps_of(gradient, b), from, size, maps_of(next.array, 0), 0);
    });
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
    std::vector<OwnArray> signals;
    for (const UnitPlace& u : some) {
      const Tensor seed = Tensor::zeros(network_.device().compute_dtype(), {1, shape[1], 1, 1});
      if (seed.dtype() == Dtype::f64)
        seed.values<double>()[at(u.channel)] = 1;
      else
        seed.values<float>()[at(u.channel)] = 1;
      OwnArray& signal = signals.emplace_back();
      signal.memory = seed.storage();
      signal.array = seed.array();
    }
    for (Stage& s : stages_) run(s, some, signals, rule);
    for (size_t i = 0; i < some.size(); ++i) {
      const Pair first = geometry_->first(geometry_->cones.input(), some[i]);
      const Shape& made = signals[i].array.shape;
      all.push_back(
          {Tensor(signals[i].array.dtype, {made[1], made[2], made[3]}, signals[i].memory), first.h, first.w});
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
