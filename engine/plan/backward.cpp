// The backward half of a plan: how signals pass down, by the rule.
#include <algorithm>

#include "engine/plan/builder.h"
#include "kernels/edit/edit.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"

namespace loupe {

// The SignalStep of one node of one unit.
class PlanBuilder::Signal : public SignalStep {
 public:
  Signal(PlanBuilder& b, const Unit& unit, NodeId node, ValueId signal,
         const std::function<void(ValueId, int)>& pass)
      : builder_(b), unit_(unit), node_(node), signal_(signal), pass_(pass) {}
  const Node& node() const override { return builder_.graph_.node(node_); }
  ValueId signal() const override { return signal_; }
  ValueId vjp(ValueId signal, int i) override { return builder_.vjp(unit_, node_, signal, i); }
  ValueId rectify(ValueId signal) override { return builder_.rectify(unit_, node_, signal); }
  RowOperand operand(int i) override;
  ValueId output() override;
  int operands() const override { return std::max(static_cast<int>(node().inputs.size()), folded() ? 3 : 0); }
  RowOperand operand_of(NodeId node, int i) override;
  ValueId apply(const OpPtr& op, const std::vector<RowOperand>& operands) override;
  ValueId apply_vjp(const OpPtr& op, int i, ValueId signal, const std::vector<RowOperand>& operands) override;
  void pass(ValueId signal, int i) override { pass_(signal, i); }

 private:
  bool folded() const { return unit_.batch_norm && node_ == unit_.head; }
  PlanOperand weight(const RowOperand& o) const;
  std::vector<PlanOperand> planned(const std::vector<RowOperand>& operands, Layout layout) const;
  Layout layout_of(const OpPtr& op, const std::vector<RowOperand>& operands) const;

  PlanBuilder& builder_;
  const Unit& unit_;
  NodeId node_;
  ValueId signal_;
  const std::function<void(ValueId, int)>& pass_;
};

RowOperand PlanBuilder::Signal::operand(int i) {
  if (folded() && i == 2) return {.weight = i};
  return operand_of(node_, i);
}

RowOperand PlanBuilder::Signal::operand_of(NodeId node, int i) {
  const Port& p = builder_.graph_.node(node).inputs.at(at(i));
  if (builder_.graph_.node(p.node).is_weight()) return {.weight = i, .node = node};
  const ValueId value = builder_.plan_.value_of(p);
  if (value < 0)
    throw Error("the rule " + builder_.purpose_.rule.name +
                " says that it reads nothing, and asks for what '" + builder_.graph_.node(node).name +
                "' reads");
  return {.value = value};
}

PlanOperand PlanBuilder::Signal::weight(const RowOperand& o) const {
  const NodeId n = o.node < 0 ? node_ : o.node;
  return builder_.weight_operand(builder_.units_[at(builder_.unit_of_[at(n)])], n, o.weight);
}

ValueId PlanBuilder::Signal::output() {
  const ValueId value = builder_.unedited(folded() ? *unit_.batch_norm : node_);
  if (value < 0)
    throw Error("the rule " + builder_.purpose_.rule.name +
                " says that it reads nothing, and asks for what '" + node().name + "' makes");
  return value;
}

std::vector<PlanOperand> PlanBuilder::Signal::planned(const std::vector<RowOperand>& operands,
                                                      Layout layout) const {
  std::vector<PlanOperand> list;
  for (const RowOperand& o : operands) {
    if (o.weight < 0) {
      const Shape shape = builder_.plan_.value(o.value).type.shape;
      list.push_back(
          {.value = builder_.in_layout(o.value, builder_.layout_for(layout, shape)), .shape = shape});
      continue;
    }
    PlanOperand read = weight(o);
    read.weight.transform = o.transform;
    list.push_back(std::move(read));
  }
  return list;
}

Layout PlanBuilder::Signal::layout_of(const OpPtr& op, const std::vector<RowOperand>& operands) const {
  if (builder_.backend() != Backend::cpu) return Layout::planar;
  std::vector<Shape> shapes;
  for (const RowOperand& o : operands)
    shapes.push_back(o.weight < 0 ? builder_.plan_.value(o.value).type.shape : weight(o).shape);
  const LayoutWish wish = op->layout(Backend::cpu, shapes);
  if (wish != LayoutWish::any) return wish == LayoutWish::blocked ? Layout::blocked : Layout::planar;
  for (size_t i = 0; i < operands.size(); ++i)
    if (operands[i].weight >= 0 && builder_.lies_in_rows(shapes[i])) return Layout::planar;
  for (const RowOperand& o : operands)
    if (o.value >= 0) return builder_.plan_.value(o.value).type.layout;
  return Layout::planar;
}

ValueId PlanBuilder::Signal::apply(const OpPtr& op, const std::vector<RowOperand>& operands) {
  const Layout layout = layout_of(op, operands);
  PlanStep s{.node = node_, .op = op, .operands = planned(operands, layout)};
  std::vector<Type> types;
  for (const PlanOperand& o : s.operands) types.push_back({Dtype::f32, o.shape});
  const Shape shape = op->infer(types)[0].shape;
  s.note = "; for " + builder_.purpose_.rule.name;
  const ValueId out = builder_.fresh(builder_.real(), shape, builder_.layout_for(layout, shape));
  s.outputs = {out};
  builder_.emit(std::move(s));
  return out;
}

ValueId PlanBuilder::Signal::apply_vjp(const OpPtr& op, int i, ValueId signal,
                                       const std::vector<RowOperand>& operands) {
  const Layout layout = layout_of(op, operands);
  PlanStep s{.node = node_, .op = op, .direction = Direction::vjp(i), .operands = planned(operands, layout)};
  const Shape signal_shape = builder_.plan_.value(signal).type.shape;
  s.grad_outputs = {builder_.in_layout(signal, builder_.layout_for(layout, signal_shape))};
  s.note = "; for " + builder_.purpose_.rule.name;
  const Shape shape = s.operands.at(at(i)).shape;
  s.grad = builder_.fresh(builder_.real(), shape, builder_.layout_for(layout, shape));
  const ValueId grad = s.grad;
  builder_.emit(std::move(s));
  return grad;
}

// What a function's vjp reads besides the signal: the bits or x that it kept, or y.
ValueId PlanBuilder::kept_by(const Unit& u, NodeId function) const {
  const Op& op = *graph_.node(function).op;
  if (plan_.record_of(function) >= 0) return plan_.record_of(function);
  if (op.needs(Direction::vjp_input).output) return unedited(function);
  return u.function == function ? -1 : plan_.value_of(graph_.node(function).inputs[0]);
}

ValueId PlanBuilder::unedited(NodeId n) const {
  const auto found = unedited_.find(n);
  return found != unedited_.end() ? found->second : plan_.value_of(n);
}

void PlanBuilder::backward() {
  const NodeId from = *purpose_.from;
  const Type type = plan_.value(plan_.value_of(from)).type;  // a copy: fresh() may move the values
  plan_.seed_ = signals_[from] = fresh(real(), type.shape, type.layout);
  const bool device = backend() == Backend::cuda || backend() == Backend::sim;
  if (device && type.shape.rank() == 2) plan_.wanted_ = fresh(Dtype::i32, {type.shape[0]}, Layout::planar);
  for (auto u = units_.rbegin(); u != units_.rend(); ++u) {
    if (u->tail > from || !above_[at(u->tail)]) continue;
    ValueId signal = -1;
    bool any = false;
    for (int o = 0; o < static_cast<int>(graph_.node(u->tail).types.size()); ++o)
      any |= signals_.contains(Port(u->tail, o));
    if (!any) continue;
    if (signals_.contains(u->tail)) signal = unedit(u->tail, signals_[u->tail]);
    const auto passed = [&](ValueId v, int) { signal = v; };
    if (u->function) row(*u, *u->function, signal, passed);
    for (const auto& member : {std::optional(u->head), u->batch_norm, u->sum})
      if (member && *member != u->tail && wanted(*member)) signals_[*member] = signal;
    // A sum hands the signal on to both sides; a folded batch norm's scale is in the weights.
    if (u->sum) arrive(graph_.node(*u->sum).inputs[at(u->residual)], signal);
    row(*u, u->head, signal, [&](ValueId v, int i) { arrive(graph_.node(u->head).inputs[at(i)], v); });
  }
  const auto wanted_parameter = [&](NodeId n) {
    const Node& node = graph_.node(n);
    return purpose_.parameters && node.kind == Node::Kind::parameter && is_learned(node.role);
  };
  for (NodeId n = 0; n < graph_.size(); ++n) {
    const bool named = std::ranges::count(purpose_.gradients, n) > 0;
    if (!named && !wanted_parameter(n)) continue;
    const auto found = signals_.find(n);
    if (found == signals_.end()) {
      if (!named) continue;
      throw UsageError("no signal reaches layer '" + graph_.node(n).name + "'");
    }
    plan_.node_gradient_[at(n)] = found->second;
  }
}

// Weights first: the signal may go on in its own place.
void PlanBuilder::row(const Unit& u, NodeId n, ValueId signal,
                      const std::function<void(ValueId, int)>& pass) {
  const Node& node = graph_.node(n);
  Signal step(*this, u, n, signal, pass);
  if (const Row* replaced = purpose_.rule.find(node)) return (*replaced)(step);
  for (const bool weights : {true, false})
    for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
      const NodeId operand = node.inputs[at(i)].node;
      if (above_[at(operand)] && graph_.node(operand).is_weight() == weights)
        step.pass(step.vjp(signal, i), i);
    }
}

// Signals that meet at a value add up, in the order in which they come: later nodes first.
void PlanBuilder::arrive(const Port& p, ValueId v) {
  if (!above_[at(p.node)]) return;
  const auto [found, first] = signals_.try_emplace(p, v);
  if (first) return;
  if (fuse_meeting(found->second, v)) {
    signals_[p] = v;
    return;
  }
  const Type type = plan_.value(found->second).type;
  PlanStep s{.node = p.node, .op = add()};
  for (ValueId part : {found->second, in_layout(v, type.layout)})
    s.operands.push_back({.value = part, .shape = type.shape});
  s.note = "; signals meet";
  const ValueId sum = fresh(real(), type.shape, type.layout);
  s.outputs = {sum};
  emit(std::move(s));
  signals_[p] = sum;
}

ValueId PlanBuilder::unedit(NodeId n, ValueId signal) {
  for (size_t e = purpose_.edits.size(); e-- > 0;) {
    if (purpose_.edits[e].at != Port(n)) continue;
    const Plan::PlannedEdit& planned = plan_.edits_[e];
    const PlanStep& made = plan_.steps_[at(planned.step)];
    const Type type = plan_.value(made.outputs[0]).type;
    PlanStep s{.node = n, .op = made.op, .direction = Direction::vjp_input, .operands = made.operands};
    s.operands[0].value = -1;
    s.grad_outputs = {in_layout(signal, type.layout)};
    s.grad = signal = fresh(real(), type.shape, type.layout);
    s.note = "edit " + std::to_string(e);
    emit(std::move(s));
  }
  return signal;
}

PlanOperand PlanBuilder::weight_operand(const Unit& u, NodeId n, int i) const {
  PlanOperand o;
  if (u.batch_norm && n == u.head) {
    o.weight = {.folded = u.head, .batch_norm = *u.batch_norm, .operand = i};
    const Shape& weight = type_of(graph_.node(n).inputs[1]).shape;
    o.shape = i == 1 ? weight : Shape{weight[*graph_.node(n).op->folds_batch_norm()]};
    return o;
  }
  const Port& p = graph_.node(n).inputs.at(at(i));
  o.weight = {.node = p.node};
  o.shape = type_of(p).shape;
  return o;
}

// A step that reads dL/dy and what else the vjp needs; its result is still to be set.
PlanStep PlanBuilder::vjp_step(const Unit& u, NodeId n, Direction direction, ValueId signal) {
  const Node& node = graph_.node(n);
  const Needs needs = node.op->needs(direction);
  const Layout layout = node_layout_[at(n)];
  PlanStep s{.node = n, .op = node.op, .direction = direction};
  for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
    const Port& p = node.inputs[at(i)];
    if (graph_.node(p.node).is_weight()) {
      s.operands.push_back(weight_operand(u, n, i));
      continue;
    }
    const Shape& shape = type_of(p).shape;
    ValueId value = -1;
    if (needs.operands >> i & 1)
      value = u.function == n ? kept_by(u, n) : in_layout(plan_.value_of(p), layout_for(layout, shape));
    s.operands.push_back({.value = value, .shape = shape});
  }
  for (int o = 0; o < static_cast<int>(node.types.size()); ++o) {
    const Shape& shape = type_of(Port(n, o)).shape;
    const auto found = signals_.find(Port(n, o));
    const ValueId arrived = o == 0 ? signal : found == signals_.end() ? -1 : found->second;
    s.grad_outputs.push_back(arrived < 0 ? -1 : in_layout(arrived, layout_for(layout, shape)));
    s.outputs.push_back(!needs.output ? -1 : o == 0 ? unedited(n) : plan_.value_of(Port(n, o)));
  }
  if (needs.record) s.record = plan_.record_of(n);
  return s;
}

ValueId PlanBuilder::vjp(const Unit& u, NodeId n, ValueId signal, int i) {
  const Node& node = graph_.node(n);
  const std::vector<Shape> in = operand_shapes(n);
  const Layout layout = node_layout_[at(n)];
  const bool weight = graph_.node(node.inputs[at(i)].node).is_weight();
  if (node.op->vjp_is_identity(in)) return signal;
  if (!weight && node.op->is_view(layout_for(layout, in[0]), in))
    return view(in_layout(signal, layout_for(layout, plan_.shape(n))), in[at(i)],
                layout_for(layout, in[at(i)]));
  if (node.op->function() && fuse_row(u, n, signal, Epilogue::Row::slope)) return signal;
  PlanStep s = vjp_step(u, n, Direction::vjp(i), signal);
  const ValueId grad = s.grad =
      fresh(real(), in[at(i)], weight ? Layout::planar : layout_for(layout, in[at(i)]));
  emit(std::move(s));
  return grad;
}

ValueId PlanBuilder::rectify(const Unit& u, NodeId n, ValueId signal) {
  if (fuse_row(u, n, signal, Epilogue::Row::deconvnet)) return signal;
  const Type type = plan_.value(signal).type;
  PlanStep s{.node = n, .op = relu(), .operands = {{.value = signal, .shape = type.shape}}};
  s.note = "; rectify the signal";
  const ValueId out = fresh(real(), type.shape, type.layout);
  s.outputs = {out};
  emit(std::move(s));
  return out;
}

// The step that makes the later of two signals adds the earlier one to it, if nothing else reads it and the
// step can.
bool PlanBuilder::fuse_meeting(ValueId earlier, ValueId later) {
  if (!options_.fuse || plan_.value(earlier).type != plan_.value(later).type) return false;
  PlanStep* maker = only_maker(later, 0);
  if (!maker || maker->epilogue) return false;
  Epilogue with;
  with.residual = true;
  if (!can_end_with(*maker, with)) return false;
  maker->epilogue = with;
  maker->residual = earlier;
  maker->note += "; + signals meet (fused)";
  return true;
}

// The vjp step that makes a signal which at most `readers` others read, by its own name or as a view.
PlanStep* PlanBuilder::only_maker(ValueId signal, int readers) {
  const auto maker = std::ranges::find(plan_.steps_.rbegin(), plan_.steps_.rend(), signal, &PlanStep::grad);
  if (maker == plan_.steps_.rend()) return nullptr;
  const auto reads = [&](ValueId v) { return v >= 0 && plan_.value(v).slot == plan_.value(signal).slot; };
  for (const PlanStep& s : plan_.steps_) {
    readers -= std::ranges::any_of(s.grad_outputs, reads);
    readers -= std::ranges::any_of(s.operands, reads, &PlanOperand::value);
    readers -= reads(s.residual);
  }
  for (const auto& [port, value] : signals_) readers -= reads(value);
  return readers < 0 ? nullptr : &*maker;
}

bool PlanBuilder::can_end_with(const PlanStep& step, const Epilogue& epilogue) const {
  std::vector<Shape> shapes;
  for (const PlanOperand& o : step.operands) shapes.push_back(o.shape);
  return step.op->fuses(backend(), step.direction, epilogue, shapes);
}

// Puts the row of function n into the step that makes the signal, if nothing else reads that and the step
// can.
bool PlanBuilder::fuse_row(const Unit& u, NodeId n, ValueId signal, Epilogue::Row row) {
  if (!options_.fuse || wanted(n)) return false;
  PlanStep* maker = only_maker(signal, 1);  // n itself
  if (!maker) return false;
  PlanStep& step = *maker;
  Epilogue with = step.epilogue;
  if (row == Epilogue::Row::slope) {
    if (with.row != Epilogue::Row::none && (with.row != Epilogue::Row::deconvnet || with.function))
      return false;
    with.row = with.row == Epilogue::Row::deconvnet ? Epilogue::Row::guided : Epilogue::Row::slope;
    with.function = graph_.node(n).op->function();
  } else {
    if (with.row != Epilogue::Row::none) return false;
    with.row = row;
  }
  if (!can_end_with(step, with)) return false;
  if (with.function) {
    const ValueId kept = kept_by(u, n);
    if (kept < 0 || plan_.value(kept).type.layout != plan_.value(signal).type.layout) return false;
    step.epilogue_record = kept;
  }
  step.epilogue = with;
  step.note += "; + " + (with.function ? graph_.node(n).name + " (its slope)" : "rectified");
  return true;
}

}  // namespace loupe
