// How long each value of a plan lives, and which step may write over what dies in it.
#include <algorithm>

#include "engine/plan/builder.h"

namespace loupe {

void PlanBuilder::drop_unused_records() {
  std::vector<bool> read(plan_.values_.size(), false);
  for (int i = plan_.forward_steps_; i < step_count(); ++i)
    each_value(plan_.steps_[at(i)], [&](ValueId v) { read[at(v)] = true; });
  for (NodeId n = 0; n < graph_.size(); ++n) {
    ValueId& record = plan_.node_record_[at(n)];
    if (record < 0 || read[at(record)] || std::ranges::count(purpose_.records, n) > 0) continue;
    for (PlanStep& s : plan_.steps_) {
      if (s.record == record) s.record = -1;
      if (s.epilogue_record == record) s.epilogue_record = -1;
    }
    slot_of(record).bytes = 0;
    record = -1;
  }
}

void PlanBuilder::lifetimes() {
  for (int i = 0; i < step_count(); ++i)
    each_value(plan_.steps_[at(i)], [&](ValueId v) { slot_of(v).last = std::max(slot_of(v).last, i); });
  const auto keep = [&](ValueId v) {
    if (v >= 0) slot_of(v).last = kForever;
  };
  for (const Port& p : purpose_.values)
    if (!purpose_.passing || plan_.step_of(p) < 0) keep(plan_.value_of(p));
  for (NodeId n : purpose_.records) keep(plan_.record_of(n));
  for (NodeId n = 0; n < graph_.size(); ++n) keep(plan_.gradient_of(n));
  // Without sharing every value keeps its place to the end.
  if (!options_.share_memory)
    for (PlanSlot& s : plan_.slots_) s.last = kForever;
  // The caller fills inputs, classes and edits before the first step, and the seed before the backward pass.
  for (NodeId n : graph_.inputs())
    if (const ValueId v = unedited(n); v >= 0) slot_of(v).first = -1;
  if (plan_.wanted_ >= 0) {
    slot_of(plan_.wanted_).first = -1;
    slot_of(plan_.wanted_).last = step_count();
  }
  for (const Plan::PlannedEdit& e : plan_.edits_) {
    slot_of(e.mask).first = slot_of(e.numbers).first = -1;
    slot_of(e.mask).last = slot_of(e.numbers).last = step_count();
  }
}

// What is made before an edit, or before a varying input is read, and read after it stays to the end, so that
// the steps from there on can run again with other numbers, also after a way back.
void PlanBuilder::keep_across_edits() {
  const auto keep_at = [&](int step) {
    for (PlanSlot& s : plan_.slots_)
      if (s.first < step && s.last >= step) s.last = std::max(s.last, step_count());
  };
  for (const Plan::PlannedEdit& e : plan_.edits_) keep_at(e.step);
  for (NodeId n : purpose_.varying)
    for (int i = unedited(n) < 0 ? plan_.forward_steps_ : 0; i < plan_.forward_steps_; ++i)
      each_value(plan_.steps_[at(i)], [&](ValueId v) {
        const bool reads = plan_.value(v).slot == plan_.value(unedited(n)).slot;
        if (reads && (plan_.varying_step_ < 0 || i < plan_.varying_step_)) plan_.varying_step_ = i;
      });
  if (plan_.varying_step_ >= 0) keep_at(plan_.varying_step_);
}

// An in-place step writes over the value that dies in it.
void PlanBuilder::share_in_place() {
  for (int i = 0; i < step_count(); ++i) {
    const PlanStep& s = plan_.steps_[at(i)];
    if (!s.op->in_place()) continue;
    const bool forward = s.direction.is_forward();
    const ValueId from = forward ? s.operands[0].value : s.grad_outputs[0];
    const ValueId to = forward ? s.outputs[0] : s.grad;
    if (from < 0 || to < 0) continue;
    const int source = plan_.value(from).slot, target = plan_.value(to).slot;
    PlanSlot& slot = plan_.slots_[at(source)];
    bool also_read = false;
    for (size_t k = forward ? 1 : 0; k < s.operands.size(); ++k)
      also_read |= s.operands[k].value >= 0 && plan_.value(s.operands[k].value).slot == source;
    for (const ValueId v : {s.residual, s.epilogue_record, s.record})
      also_read |= v >= 0 && plan_.value(v).slot == source;
    const bool alike = plan_.value(from).type.shape == plan_.value(to).type.shape;  // broadcasting may not be
    if (slot.last != i || also_read || !alike || slot.bytes != plan_.slots_[at(target)].bytes ||
        source == target)
      continue;
    slot.last = plan_.slots_[at(target)].last;
    plan_.slots_[at(target)].bytes = 0;
    for (PlanValue& v : plan_.values_)
      if (v.slot == target) v.slot = source;
  }
}

}  // namespace loupe
