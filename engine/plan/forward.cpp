// The forward half of a plan: layouts, values, edits.
#include <algorithm>

#include "engine/plan/builder.h"
#include "kernels/edit/edit.h"
#include "kernels/relayout/relayout.h"

namespace loupe {

ValueId PlanBuilder::fresh(Dtype dtype, const Shape& shape, Layout layout) {
  plan_.slots_.push_back({array_bytes(dtype, shape, layout), 0, step_count(), step_count()});
  plan_.values_.push_back({{dtype, shape, layout}, static_cast<int>(plan_.slots_.size()) - 1});
  return static_cast<ValueId>(plan_.values_.size()) - 1;
}

ValueId PlanBuilder::view(ValueId of, const Shape& shape, Layout layout) {
  PlanValue v = plan_.value(of);
  v.type.shape = shape;
  v.type.layout = layout;
  plan_.values_.push_back(v);
  return static_cast<ValueId>(plan_.values_.size()) - 1;
}

// The step's call is decided here, and nowhere else.
PlanStep& PlanBuilder::emit(PlanStep step) {
  std::vector<Shape> shapes;
  for (const PlanOperand& o : step.operands) shapes.push_back(o.shape);
  step.call = step.op->prepare(backend(), step.direction, shapes, options_.kernels);
  for (size_t p = 0; p < step.call.packing.size(); ++p) {
    PlanOperand& operand = step.operands.at(at(step.call.packing[p].operand));
    if (!operand.weight.exists())
      throw UsageError("'" + graph_.node(step.node).name + "': on the " +
                       std::string(backend_name(backend())) + " backend " +
                       std::string(step.op->kind().name) +
                       " wants this operand to be a parameter or a constant, not computed");
    operand.packing = static_cast<int>(p);
  }
  if (step.call.workspace > 0)
    step.workspace = fresh(Dtype::u8, Shape{1, step.call.workspace}, Layout::planar);
  plan_.steps_.push_back(std::move(step));
  return plan_.steps_.back();
}

// Channels in blocks of 16 exist for rows and maps alone.
Layout PlanBuilder::layout_for(Layout wish, const Shape& shape) const {
  return shape.rank() == 2 || shape.rank() == 4 ? wish : Layout::planar;
}

// Weights are not in blocks: what reads one of that shape beside a value is planar, too.
bool PlanBuilder::lies_in_rows(const Shape& weight) const {
  return layout_for(Layout::blocked, weight) == Layout::blocked && !same_in_both_layouts(weight);
}

Layout PlanBuilder::choose_layout(NodeId n) {
  if (backend() != Backend::cpu) return Layout::planar;
  switch (graph_.node(n).op->layout(backend(), operand_shapes(n))) {
    case LayoutWish::planar:
      return Layout::planar;
    case LayoutWish::blocked:
      return Layout::blocked;
    case LayoutWish::any:
      break;
  }
  for (const Port& p : graph_.node(n).inputs)
    if (graph_.node(p.node).is_weight() && lies_in_rows(type_of(p).shape)) return Layout::planar;
  for (const Port& p : graph_.node(n).inputs)
    if (const ValueId v = plan_.value_of(p); v >= 0) return plan_.value(v).type.layout;
  return Layout::planar;
}

ValueId PlanBuilder::in_layout(ValueId v, Layout layout) {
  const Type& type = plan_.value(v).type;
  if (type.layout == layout) return v;
  const auto made = relaid_.find({v, layout});
  if (made != relaid_.end()) return made->second;
  const Shape shape = type.shape;
  ValueId to;
  if (same_in_both_layouts(shape)) {
    to = view(v, shape, layout);
  } else {
    PlanStep s{.node = -1, .op = relayout(), .operands = {{.value = v, .shape = shape}}};
    s.note = layout == Layout::blocked ? "channels into blocks of 16" : "blocks of 16 channels into rows";
    to = fresh(type.dtype, shape, layout);
    s.outputs = {to};
    emit(std::move(s));
  }
  relaid_[{v, layout}] = to;
  return to;
}

// An input lies as those who read it want it.
void PlanBuilder::inputs() {
  for (NodeId i : graph_.inputs()) {
    if (!needed_[at(i)]) continue;
    Layout layout = Layout::planar;
    if (backend() == Backend::cpu)
      for (NodeId c : graph_.consumers(i))
        if (needed_[at(c)] && graph_.node(c).op->layout(backend(), operand_shapes(c)) != LayoutWish::planar)
          layout = Layout::blocked;
    const Type& type = plan_.types(i)[0];
    plan_.node_values_[at(i)] = {fresh(concrete(type.dtype), type.shape, layout_for(layout, type.shape))};
    plan_.node_input_[at(i)] = plan_.value_of(i);
    apply_edits(i);
  }
}

std::vector<PlanOperand> PlanBuilder::operands(const Unit& u, Layout layout) {
  const Node& n = graph_.node(u.head);
  std::vector<PlanOperand> list;
  for (const Port& p : n.inputs) {
    const Shape& shape = type_of(p).shape;
    if (graph_.node(p.node).is_weight()) {
      list.push_back(weight_operand(u, u.head, static_cast<int>(list.size())));
    } else {
      list.push_back({.value = in_layout(plan_.value_of(p), layout_for(layout, shape)), .shape = shape});
    }
  }
  // Folding gives a bias to a convolution that has none.
  if (u.batch_norm && list.size() == 2) list.push_back(weight_operand(u, u.head, 2));
  return list;
}

void PlanBuilder::forward_outputs(const Unit& u, Layout layout, PlanStep& s) {
  const std::vector<Type>& types = plan_.types(u.tail);
  for (size_t i = 0; i < types.size(); ++i) {
    const Port port(u.tail, static_cast<int>(i));
    bool read = i == 0 || std::ranges::count(purpose_.values, port) > 0;
    for (NodeId c : graph_.consumers(u.tail))
      read |= needed_[at(c)] && std::ranges::count(graph_.node(c).inputs, port) > 0;
    s.outputs.push_back(
        read ? fresh(concrete(types[i].dtype), types[i].shape, layout_for(layout, types[i].shape)) : -1);
    plan_.node_values_[at(u.tail)][i] = s.outputs.back();
  }
}

// What the op leaves on the tape, and what the function fused after it does.
void PlanBuilder::forward_records(const Unit& u, Layout layout, PlanStep& s) {
  const auto make = [&](const Record& r) {
    return fresh(concrete(r.dtype), r.shape, layout_for(layout, r.shape));
  };
  if (const auto r = graph_.node(u.head).op->record(operand_shapes(u.head)))
    plan_.node_record_[at(u.head)] = s.record = make(*r);
  if (!u.function) return;
  const Op& function = *graph_.node(*u.function).op;
  if (const auto r = function.record(operand_shapes(*u.function)))
    plan_.node_record_[at(*u.function)] = s.epilogue_record = make(*r);
  else if (function.needs(Direction::vjp_input).operands & 1)  // x, which is nowhere else
    plan_.node_record_[at(*u.function)] = s.epilogue_record = make({Dtype::f32, plan_.shape(*u.function)});
}

void PlanBuilder::forward(const Unit& u) {
  const Node& n = graph_.node(u.head);
  const Layout layout = choose_layout(u.head);
  for (const auto& member : {std::optional(u.head), u.batch_norm, u.sum, u.function})
    if (member) node_layout_[at(*member)] = layout;
  const std::vector<Shape> in = operand_shapes(u.head);
  PlanStep s{.node = u.tail, .op = n.op, .operands = operands(u, layout), .epilogue = u.epilogue};
  if (n.op->is_view(layout_for(layout, in[0]), in)) {
    const Shape& shape = plan_.shape(u.head);
    plan_.node_values_[at(u.tail)] = {view(s.operands[0].value, shape, layout_for(layout, shape))};
    return;
  }
  if (u.batch_norm) s.note += "; + " + graph_.node(*u.batch_norm).name + " (folded)";
  if (u.sum) {
    const Port& from = graph_.node(*u.sum).inputs[at(u.residual)];
    s.residual = in_layout(plan_.value_of(from), layout_for(layout, type_of(from).shape));
    s.note += "; + " + graph_.node(*u.sum).name + " (fused)";
  }
  if (u.function) s.note += "; + " + graph_.node(*u.function).name + " (fused)";
  forward_outputs(u, layout, s);
  forward_records(u, layout, s);
  emit(std::move(s));
}

void PlanBuilder::apply_edits(NodeId n) {
  plan_.edits_.resize(purpose_.edits.size());
  for (size_t e = 0; e < purpose_.edits.size(); ++e) {
    const Edit& edit = purpose_.edits[e];
    if (edit.at.node != n) continue;
    ValueId& value = plan_.node_values_[at(n)][at(edit.at.output)];
    if (value < 0)
      throw UsageError("an edit of an output of '" + graph_.node(n).name + "' that nothing reads");
    const Type type = plan_.value(value).type;
    if (type.dtype != real())
      throw UsageError("an edit of '" + graph_.node(n).name + "', which holds no floats");
    Plan::PlannedEdit& planned = plan_.edits_[e];
    planned.mask = fresh(Dtype::u8, type.shape, type.layout);
    planned.numbers = fresh(type.dtype, type.shape, type.layout);
    PlanStep s{.node = n, .op = edit_op(static_cast<EditKind>(edit.kind))};
    for (ValueId v : {value, planned.mask, planned.numbers})
      s.operands.push_back({.value = v, .shape = type.shape});
    s.note = "edit " + std::to_string(e);
    if (edit.at.output == 0) unedited_.try_emplace(edit.at, value);
    value = fresh(type.dtype, type.shape, type.layout);
    s.outputs = {value};
    planned.step = step_count();
    emit(std::move(s));
  }
}

}  // namespace loupe
