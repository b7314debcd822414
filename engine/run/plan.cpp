#include "engine/run/plan.h"

#include <algorithm>
#include <limits>

#include "engine/run/arena.h"
#include "kernels/add/add.h"
#include "kernels/relu/relu.h"

namespace loupe {

namespace {
constexpr int kForever = std::numeric_limits<int>::max();

bool contains(const std::vector<NodeId>& ids, NodeId id) { return std::ranges::count(ids, id) > 0; }

// Which vjp gives the gradient of a parameter; none: it is not learned by gradient.
std::optional<Direction> direction_of(ParameterSpec::Role role) {
  using Role = ParameterSpec::Role;
  if (role == Role::weight || role == Role::norm_weight) return Direction::vjp_weight;
  if (role == Role::bias || role == Role::norm_bias) return Direction::vjp_bias;
  return std::nullopt;
}

}  // namespace

std::string Purpose::key() const {
  std::string k = rule.name;
  const auto list = [&](const char* name, const std::vector<NodeId>& ids) {
    k += name;
    for (NodeId i : ids) k += std::to_string(i) + ",";
  };
  list(" values ", values);
  list(" gradients ", gradients);
  list(" records ", records);
  if (parameters) k += " parameters";
  return k + " from " + (from ? std::to_string(*from) : "-");
}

// Builds a plan in three passes: steps that each write a fresh value; then in-place steps take over the
// memory of the value that dies in them; then every block gets its place in the arena.
class PlanBuilder {
 public:
  PlanBuilder(Plan& plan, PlanOptions options)
      : plan_(plan),
        graph_(plan.graph_),
        purpose_(plan.purpose_),
        options_(options),
        shapes_(graph_.shapes(plan.batch_)) {
    // Learned weights are those of the nodes as they stand.
    if (purpose_.parameters) options_.fold_batch_norm = false;
    const auto nodes = static_cast<size_t>(graph_.size());
    plan_.node_value_.assign(nodes, -1);
    plan_.node_gradient_.assign(nodes, -1);
    plan_.node_record_.assign(nodes, -1);
    find_needed();
  }

  void build() {
    make_units();
    for (NodeId i : graph_.inputs())
      if (needed_[at(i)])
        plan_.node_value_[at(i)] =
            fresh(graph_.node(i).dtype == Dtype::u8 ? Dtype::u8 : real(), shapes_[at(i)]);
    for (const Unit& u : units_) forward(u);
    plan_.forward_steps_ = step_count();
    if (purpose_.from) backward();
    drop_unused_records();
    lifetimes();
    if (options_.share_memory) share_in_place();
    plan_.arena_bytes_ = place_blocks(plan_.blocks_);
    for (const PlanBlock& b : plan_.blocks_)
      if (b.first < plan_.forward_steps_ && b.last >= plan_.forward_steps_ && b.last != kForever)
        plan_.tape_bytes_ += b.bytes;
  }

 private:
  // A node with what is folded and fused into it. The value of `tail` is what exists.
  struct Unit {
    NodeId head;
    std::optional<NodeId> batch_norm, activation;
    NodeId tail;
  };

  // The SignalStep of one node of one unit.
  class Signal : public SignalStep {
   public:
    Signal(PlanBuilder& b, const Unit& unit, NodeId node, ValueId signal,
           std::function<void(ValueId, int)> pass)
        : builder_(b), unit_(unit), node_(node), signal_(signal), pass_(std::move(pass)) {}
    const Node& node() const override { return builder_.graph_.node(node_); }
    ValueId signal() const override { return signal_; }
    ValueId vjp(ValueId signal, int i) override { return builder_.vjp(unit_, node_, signal, i); }
    ValueId rectify(ValueId signal) override { return builder_.rectify(node_, signal); }
    void pass(ValueId signal, int i) override { pass_(signal, i); }

   private:
    PlanBuilder& builder_;
    const Unit& unit_;
    NodeId node_;
    ValueId signal_;
    std::function<void(ValueId, int)> pass_;
  };

  static size_t at(int i) { return static_cast<size_t>(i); }
  int step_count() const { return static_cast<int>(plan_.steps_.size()); }
  Backend backend() const { return plan_.backend_; }
  Layout layout() const { return backend_layout(backend()); }
  Dtype real() const { return backend() == Backend::ref ? Dtype::f64 : Dtype::f32; }

  bool wanted(NodeId n) const {
    return contains(purpose_.values, n) || contains(purpose_.gradients, n) || purpose_.from == n;
  }

  void find_needed() {
    needed_.assign(at(graph_.size()), false);
    for (NodeId n : purpose_.values) needed_[at(n)] = true;
    for (NodeId n : purpose_.records) needed_[at(n)] = true;
    if (purpose_.from) needed_[at(*purpose_.from)] = true;
    for (NodeId n = graph_.size() - 1; n >= 0; --n)
      if (needed_[at(n)])
        for (NodeId i : graph_.node(n).inputs) needed_[at(i)] = true;
    if (purpose_.parameters && !purpose_.from) throw UsageError("a gradient needs a node to start from");
    if (purpose_.parameters && !purpose_.rule.rows.empty())
      throw UsageError("parameters have gradients by the gradient rule alone, not by " + purpose_.rule.name);
    // On the way back only nodes between `from` and a wanted gradient take part.
    above_.assign(at(graph_.size()), false);
    for (NodeId n = 0; n < graph_.size(); ++n) {
      above_[at(n)] = contains(purpose_.gradients, n) || (purpose_.parameters && learns(n));
      for (NodeId i : graph_.node(n).inputs)
        if (above_[at(i)]) above_[at(n)] = true;
    }
    for (NodeId n : purpose_.gradients) {
      if (!purpose_.from) throw UsageError("a gradient needs a node to start from");
      if (!needed_[at(n)] || n > *purpose_.from)
        throw UsageError("layer '" + graph_.node(n).name + "' does not lead to '" +
                         graph_.node(*purpose_.from).name + "', so it has no gradient from there");
    }
  }

  bool learns(NodeId n) const {
    return std::ranges::any_of(graph_.node(n).parameters,
                               [](const ParameterSpec& p) { return direction_of(p.role).has_value(); });
  }

  std::optional<NodeId> only_consumer(NodeId n) const {
    if (wanted(n)) return std::nullopt;
    std::optional<NodeId> found;
    for (NodeId c : graph_.consumers(n)) {
      if (!needed_[at(c)]) continue;
      if (found || graph_.node(c).inputs.size() != 1) return std::nullopt;
      found = c;
    }
    return found;
  }

  void make_units() {
    std::vector<bool> taken(at(graph_.size()), false);
    for (NodeId n = 0; n < graph_.size(); ++n) {
      if (!needed_[at(n)] || taken[at(n)] || !graph_.node(n).op) continue;
      Unit u{n, {}, {}, n};
      const Op& op = *graph_.node(n).op;
      if (options_.fold_batch_norm && op.folds_batch_norm())
        if (const auto c = only_consumer(u.tail); c && graph_.node(*c).op->kind().name == "batch_norm") {
          u.batch_norm = u.tail = *c;
          taken[at(*c)] = true;
        }
      if (options_.fuse_activation && op.fuses_activation(backend()))
        if (const auto c = only_consumer(u.tail); c && graph_.node(*c).op->activation()) {
          u.activation = u.tail = *c;
          taken[at(*c)] = true;
        }
      units_.push_back(u);
    }
  }

  ValueId fresh(Dtype dtype, const Shape& shape) { return fresh(dtype, shape, layout()); }
  ValueId fresh(Dtype dtype, const Shape& shape, Layout l) {
    plan_.blocks_.push_back({array_bytes(dtype, shape, l), 0, step_count(), step_count()});
    plan_.values_.push_back({dtype, shape, l, static_cast<int>(plan_.blocks_.size()) - 1});
    return static_cast<ValueId>(plan_.values_.size()) - 1;
  }
  ValueId view(ValueId of, const Shape& shape) {
    PlanValue v = plan_.value(of);
    v.shape = shape;
    plan_.values_.push_back(v);
    return static_cast<ValueId>(plan_.values_.size()) - 1;
  }

  std::vector<Shape> input_shapes(NodeId n) const {
    std::vector<Shape> in;
    for (NodeId i : graph_.node(n).inputs) in.push_back(shapes_[at(i)]);
    return in;
  }

  PlanStep& emit(PlanStep step) {
    if (const int64_t bytes = step.op->workspace_bytes(backend(), step.direction, step.input_shapes))
      step.workspace = fresh(Dtype::u8, Shape{1, bytes}, Layout::planar);
    plan_.steps_.push_back(std::move(step));
    return plan_.steps_.back();
  }

  void forward(const Unit& u) {
    const Node& n = graph_.node(u.head);
    const std::vector<Shape> in = input_shapes(u.head);
    if (n.op->is_view(layout(), in)) {
      plan_.node_value_[at(u.tail)] = view(plan_.value_of(n.inputs[0]), shapes_[at(u.head)]);
      return;
    }
    PlanStep s{.node = u.tail, .op = n.op, .input_shapes = in, .parameters = {u.head, u.batch_norm}};
    for (NodeId i : n.inputs) s.inputs.push_back(plan_.value_of(i));
    s.output = fresh(real(), shapes_[at(u.tail)]);
    s.note = n.op->algorithm(backend(), Direction::forward, in);
    if (u.batch_norm) s.note += "; + " + graph_.node(*u.batch_norm).name + " (folded)";
    if (u.activation) {
      s.activation = graph_.node(*u.activation).op->activation();
      s.note += "; + " + graph_.node(*u.activation).name + " (fused)";
    }
    const NodeId recorder = u.activation.value_or(u.head);
    if (const auto saved = graph_.node(recorder).op->saved(input_shapes(recorder)))
      plan_.node_record_[at(recorder)] = s.saved =
          fresh(saved->dtype == Dtype::f32 ? real() : saved->dtype, saved->shape);
    plan_.node_value_[at(u.tail)] = s.output;
    emit(std::move(s));
  }

  void backward() {
    signals_.assign(at(graph_.size()), -1);
    const NodeId from = *purpose_.from;
    plan_.seed_ = signals_[at(from)] = fresh(real(), shapes_[at(from)]);
    for (auto u = units_.rbegin(); u != units_.rend(); ++u) {
      if (u->tail > from || !above_[at(u->tail)] || signals_[at(u->tail)] < 0) continue;
      ValueId signal = signals_[at(u->tail)];
      if (u->activation) row(*u, *u->activation, signal, [&](ValueId v, int) { signal = v; });
      // A folded batch norm needs no row: its scale is in the weights.
      row(*u, u->head, signal, [&](ValueId v, int i) { arrive(graph_.node(u->head).inputs[at(i)], v); });
    }
    for (NodeId n : purpose_.gradients) {
      if (signals_[at(n)] < 0) throw UsageError("no signal reaches layer '" + graph_.node(n).name + "'");
      plan_.node_gradient_[at(n)] = signals_[at(n)];
    }
    std::ranges::stable_sort(plan_.parameter_gradients_, {},
                             [](const Plan::ParameterGradient& g) { return std::pair(g.node, g.parameter); });
  }

  void row(const Unit& u, NodeId n, ValueId signal, std::function<void(ValueId, int)> pass) {
    if (purpose_.parameters) parameter_gradients(n, signal);
    Signal step(*this, u, n, signal, std::move(pass));
    const auto replaced = purpose_.rule.rows.find(graph_.node(n).op->kind().name);
    if (replaced != purpose_.rule.rows.end()) return replaced->second(step);
    for (int i = 0; i < static_cast<int>(graph_.node(n).inputs.size()); ++i)
      if (above_[at(graph_.node(n).inputs[at(i)])]) step.pass(step.vjp(signal, i), i);
  }

  // Signals that meet at a node add up, in the order in which they come: later nodes first.
  void arrive(NodeId n, ValueId v) {
    if (!above_[at(n)]) return;
    ValueId& sum = signals_[at(n)];
    if (sum < 0) {
      sum = v;
      return;
    }
    const Shape& shape = shapes_[at(n)];
    PlanStep s{
        .node = n, .op = add_, .inputs = {sum, v}, .input_shapes = {shape, shape}, .note = "signals meet"};
    sum = s.output = fresh(real(), shape);
    emit(std::move(s));
  }

  // A step that reads dL/dy and what else the vjp needs; its result is still to be set.
  PlanStep vjp_step(NodeId n, Direction direction, ValueId signal) {
    const Node& node = graph_.node(n);
    const Needs needs = node.op->needs(direction);
    PlanStep s{.node = n,
               .op = node.op,
               .direction = direction,
               .input_shapes = input_shapes(n),
               .grad_output = signal,
               .parameters = {n, {}}};
    for (NodeId j : node.inputs) s.inputs.push_back(needs.inputs ? plan_.value_of(j) : -1);
    if (needs.output) s.output = plan_.value_of(n);
    if (needs.saved) s.saved = plan_.record_of(n);
    s.note = node.op->algorithm(backend(), direction, s.input_shapes);
    return s;
  }

  ValueId vjp(const Unit& u, NodeId n, ValueId signal, int i) {
    const Node& node = graph_.node(n);
    const std::vector<Shape> in = input_shapes(n);
    if (node.op->vjp_is_identity()) return signal;
    if (node.op->is_view(layout(), in)) return view(signal, in[at(i)]);
    PlanStep s = vjp_step(n, Direction::vjp_input, signal);
    s.input = i;
    if (n == u.head) s.parameters.batch_norm = u.batch_norm;
    const ValueId grad = s.grad = fresh(real(), in[at(i)]);
    emit(std::move(s));
    return grad;
  }

  // Before the signal goes on, which may happen in its own place.
  void parameter_gradients(NodeId n, ValueId signal) {
    const std::vector<ParameterSpec>& parameters = graph_.node(n).parameters;
    for (size_t p = 0; p < parameters.size(); ++p) {
      const auto direction = direction_of(parameters[p].role);
      if (!direction) continue;
      PlanStep s = vjp_step(n, *direction, signal);
      s.grad = fresh(real(), parameters[p].shape, Layout::planar);
      plan_.parameter_gradients_.push_back({n, p, s.grad});
      emit(std::move(s));
    }
  }

  ValueId rectify(NodeId n, ValueId signal) {
    const Shape shape = plan_.value(signal).shape;
    PlanStep s{
        .node = n, .op = relu_, .inputs = {signal}, .input_shapes = {shape}, .note = "rectify the signal"};
    const ValueId out = s.output = fresh(real(), shape);
    emit(std::move(s));
    return out;
  }

  void drop_unused_records() {
    std::vector<bool> read(plan_.values_.size(), false);
    for (int i = plan_.forward_steps_; i < step_count(); ++i)
      if (const ValueId s = plan_.steps_[at(i)].saved; s >= 0) read[at(s)] = true;
    for (NodeId n = 0; n < graph_.size(); ++n) {
      ValueId& record = plan_.node_record_[at(n)];
      if (record < 0 || read[at(record)] || contains(purpose_.records, n)) continue;
      for (PlanStep& s : plan_.steps_)
        if (s.saved == record) s.saved = -1;
      plan_.blocks_[at(plan_.value(record).block)].bytes = 0;
      record = -1;
    }
  }

  template <typename F>
  static void each_value(const PlanStep& s, const F& f) {
    for (ValueId v : s.inputs)
      if (v >= 0) f(v);
    for (ValueId v : {s.output, s.saved, s.grad_output, s.grad, s.workspace})
      if (v >= 0) f(v);
  }

  PlanBlock& block_of(ValueId v) { return plan_.blocks_[at(plan_.values_[at(v)].block)]; }

  void lifetimes() {
    for (int i = 0; i < step_count(); ++i)
      each_value(plan_.steps_[at(i)], [&](ValueId v) { block_of(v).last = std::max(block_of(v).last, i); });
    const auto keep = [&](ValueId v) {
      if (v >= 0) block_of(v).last = kForever;
    };
    for (NodeId n : purpose_.values) keep(plan_.value_of(n));
    for (NodeId n : purpose_.records) keep(plan_.record_of(n));
    for (NodeId n : purpose_.gradients) keep(plan_.gradient_of(n));
    for (const Plan::ParameterGradient& g : plan_.parameter_gradients_) keep(g.value);
    // Without sharing every value keeps its place to the end.
    if (!options_.share_memory)
      for (PlanBlock& b : plan_.blocks_) b.last = kForever;
    // The caller fills inputs before the first step, and the seed before the backward pass.
    for (NodeId n : graph_.inputs())
      if (plan_.value_of(n) >= 0) block_of(plan_.value_of(n)).first = -1;
  }

  // An in-place step writes over the value that dies in it.
  void share_in_place() {
    for (int i = 0; i < step_count(); ++i) {
      const PlanStep& s = plan_.steps_[at(i)];
      if (!s.op->in_place()) continue;
      const bool forward = s.direction == Direction::forward;
      const ValueId from = forward ? s.inputs[0] : s.grad_output, to = forward ? s.output : s.grad;
      if (from < 0) continue;
      const int source = plan_.value(from).block, target = plan_.value(to).block;
      PlanBlock& b = plan_.blocks_[at(source)];
      const bool also_read = forward && s.inputs.size() > 1 && plan_.value(s.inputs[1]).block == source;
      if (b.last != i || also_read || b.bytes != plan_.blocks_[at(target)].bytes || source == target)
        continue;
      b.last = plan_.blocks_[at(target)].last;
      plan_.blocks_[at(target)].bytes = 0;
      for (PlanValue& v : plan_.values_)
        if (v.block == target) v.block = source;
    }
  }

  Plan& plan_;
  const Graph& graph_;
  const Purpose& purpose_;
  PlanOptions options_;
  std::vector<Shape> shapes_;
  std::vector<bool> needed_, above_;
  std::vector<Unit> units_;
  std::vector<ValueId> signals_;  // by node
  OpPtr add_ = add(), relu_ = relu();
};

Plan::Plan(const Graph& graph, int64_t batch, Backend backend, Purpose purpose, PlanOptions options)
    : graph_(graph), batch_(batch), backend_(backend), purpose_(std::move(purpose)) {
  if (batch < 1) throw UsageError("a batch holds at least one image, not " + std::to_string(batch));
  PlanBuilder(*this, options).build();
}

}  // namespace loupe
