// PlanBuilder makes a Plan in four passes, one file each: units.cpp chooses what is folded and fused;
// forward.cpp and backward.cpp lay down steps that each write a fresh value; memory.cpp lets in-place steps
// take over the memory of a value that dies in them, and gives every slot its place in the arena.
#pragma once
#include <limits>
#include <map>

#include "engine/plan/plan.h"

namespace loupe {

class PlanBuilder {
 public:
  PlanBuilder(Plan& plan, PlanOptions options);
  void build();

 private:
  static constexpr int kForever = std::numeric_limits<int>::max();

  // A node with what is folded and fused into it. The value of `tail` is what exists.
  struct Unit {
    NodeId head;
    std::optional<NodeId> batch_norm = {}, sum = {}, function = {};
    int residual = 0;  // of the sum: which operand comes from elsewhere
    NodeId tail = head;
    Epilogue epilogue = {};
  };
  class Signal;

  // plan.cpp
  static size_t at(int i) { return static_cast<size_t>(i); }
  int step_count() const { return static_cast<int>(plan_.steps_.size()); }
  Backend backend() const { return plan_.backend_; }
  Dtype real() const { return backend() == Backend::ref ? Dtype::f64 : Dtype::f32; }
  Dtype concrete(Dtype graph_type) const { return graph_type == Dtype::f32 ? real() : graph_type; }
  bool kept(NodeId n) const;
  bool wanted(NodeId n) const;
  bool edited(NodeId n) const;
  void find_needed();
  std::vector<Shape> operand_shapes(NodeId n) const;
  const Type& type_of(const Port& p) const { return plan_.types(p.node)[at(p.output)]; }

  // units.cpp
  void make_units();
  std::optional<NodeId> only_consumer(NodeId n, bool folding) const;
  void fold(Unit& u);
  void fuse_sum(Unit& u);
  void fuse_function(Unit& u);
  bool fusable(const Unit& u, const Epilogue& epilogue) const;

  // forward.cpp
  ValueId fresh(Dtype dtype, const Shape& shape, Layout layout);
  ValueId view(ValueId of, const Shape& shape, Layout layout);
  PlanStep& emit(PlanStep step);
  Layout layout_for(Layout wish, const Shape& shape) const;
  bool lies_in_rows(const Shape& weight) const;
  Layout choose_layout(NodeId n);
  ValueId in_layout(ValueId v, Layout layout);
  void inputs();
  void forward(const Unit& u);
  std::vector<PlanOperand> operands(const Unit& u, Layout layout);
  void forward_outputs(const Unit& u, Layout layout, PlanStep& s);
  void forward_records(const Unit& u, Layout layout, PlanStep& s);
  void apply_edits(NodeId n);

  // backward.cpp
  void backward();
  void row(const Unit& u, NodeId n, ValueId signal, const std::function<void(ValueId, int)>& pass);
  void arrive(const Port& p, ValueId v);
  ValueId unedit(NodeId n, ValueId signal);
  ValueId unedited(NodeId n) const;
  PlanOperand weight_operand(const Unit& u, NodeId n, int i) const;
  PlanStep vjp_step(const Unit& u, NodeId n, Direction direction, ValueId signal);
  ValueId vjp(const Unit& u, NodeId n, ValueId signal, int i);
  ValueId rectify(const Unit& u, NodeId n, ValueId signal);
  bool fuse_meeting(ValueId earlier, ValueId later);
  PlanStep* only_maker(ValueId signal, int readers);
  bool can_end_with(const PlanStep& step, const Epilogue& epilogue) const;
  bool fuse_row(const Unit& u, NodeId n, ValueId signal, Epilogue::Row row);
  ValueId kept_by(const Unit& u, NodeId function) const;

  // memory.cpp
  void drop_unused_records();
  void lifetimes();
  void keep_across_edits();
  void share_in_place();
  PlanSlot& slot_of(ValueId v) { return plan_.slots_[at(plan_.values_[at(v)].slot)]; }
  template <typename F>
  static void each_value(const PlanStep& s, const F& f) {
    const auto visit = [&](ValueId v) {
      if (v >= 0) f(v);
    };
    for (const PlanOperand& o : s.operands) visit(o.value);
    for (ValueId v : s.outputs) visit(v);
    for (ValueId v : s.grad_outputs) visit(v);
    for (ValueId v : {s.record, s.grad, s.workspace, s.residual, s.epilogue_record}) visit(v);
  }

  Plan& plan_;
  const Graph& graph_;
  const Purpose& purpose_;
  PlanOptions options_;
  std::vector<bool> needed_, above_;
  std::vector<Unit> units_;
  std::vector<int> unit_of_;                              // by node: place in units_, −1
  std::vector<Layout> node_layout_;                       // in which a node's op works
  std::map<std::pair<ValueId, Layout>, ValueId> relaid_;  // conversions made so far
  std::map<Port, ValueId> unedited_;                      // first outputs as they were before edits
  std::map<Port, ValueId> signals_;
};

}  // namespace loupe
