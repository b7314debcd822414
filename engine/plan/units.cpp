// Which nodes a step computes together: a batch norm folded into the weights before it, then a residual
// addition and a function in the op's epilogue.
#include <algorithm>

#include "engine/plan/builder.h"

namespace loupe {

// The one node that reads n, if n itself need not exist and the reader has no other operand but weights (or,
// for sums, whatever it has). The signal at n exists whatever is fused, but not where a batch norm is folded.
std::optional<NodeId> PlanBuilder::only_consumer(NodeId n, bool folding) const {
  if ((folding ? wanted(n) : kept(n)) || graph_.node(n).types.size() != 1) return std::nullopt;
  std::optional<NodeId> found;
  for (NodeId c : graph_.consumers(n)) {
    if (!needed_[at(c)]) continue;
    if (found || std::ranges::count(graph_.node(c).inputs, n, &Port::node) != 1) return std::nullopt;
    found = c;
  }
  return found;
}

bool PlanBuilder::fusable(const Unit& u, const Epilogue& epilogue) const {
  return graph_.node(u.head).op->fuses(backend(), Direction::forward, epilogue, operand_shapes(u.head));
}

void PlanBuilder::fold(Unit& u) {
  const Node& head = graph_.node(u.head);
  if (!options_.fold_batch_norm || !head.op->folds_batch_norm()) return;
  for (size_t i = 1; i < head.inputs.size(); ++i)
    if (!graph_.node(head.inputs[i].node).is_weight()) return;
  const auto c = only_consumer(u.tail, true);
  if (!c || graph_.node(*c).op->kind().name != "batch_norm") return;
  const Rule& rule = purpose_.rule;
  if (rule.folds ? rule.nodes.contains(graph_.node(*c).name) : rule.find(graph_.node(*c)) != nullptr) return;
  u.batch_norm = u.tail = *c;
}

// A sum with something that was computed before the head.
void PlanBuilder::fuse_sum(Unit& u) {
  const auto c = only_consumer(u.tail, false);
  if (!c || graph_.node(*c).op->kind().name != "add" || purpose_.rule.find(graph_.node(*c))) return;
  const std::vector<Port>& in = graph_.node(*c).inputs;
  const int other = in[0].node == u.tail ? 1 : 0;
  const Port& from = in[at(other)];
  if (graph_.node(from.node).is_weight() || type_of(from) != type_of(u.tail)) return;
  const bool before = from.node < u.head && (graph_.node(from.node).kind == Node::Kind::input ||
                                             units_[at(unit_of_[at(from.node)])].tail == from.node);
  if (!before) return;
  Epilogue with = u.epilogue;
  with.residual = true;
  if (!fusable(u, with)) return;
  u.epilogue = with;
  u.sum = u.tail = *c;
  u.residual = other;
}

void PlanBuilder::fuse_function(Unit& u) {
  const auto c = only_consumer(u.tail, false);
  if (!c || !graph_.node(*c).op->function() || purpose_.rule.needs_values(graph_.node(*c))) return;
  Epilogue with = u.epilogue;
  with.function = graph_.node(*c).op->function();
  if (!fusable(u, with)) return;
  u.epilogue = with;
  u.function = u.tail = *c;
}

void PlanBuilder::make_units() {
  unit_of_.assign(at(graph_.size()), -1);
  for (NodeId n = 0; n < graph_.size(); ++n) {
    if (!needed_[at(n)] || unit_of_[at(n)] >= 0 || !graph_.node(n).op) continue;
    Unit u{.head = n};
    const bool alone = purpose_.rule.needs_values(graph_.node(n));
    if (!alone || purpose_.rule.folds) fold(u);
    if (options_.fuse && !alone) {
      fuse_sum(u);
      fuse_function(u);
    }
    const int place = static_cast<int>(units_.size());
    for (const auto& member : {std::optional(u.head), u.batch_norm, u.sum, u.function})
      if (member) unit_of_[at(*member)] = place;
    units_.push_back(u);
  }
}

}  // namespace loupe
