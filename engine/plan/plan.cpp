#include "engine/plan/plan.h"

#include <algorithm>

#include "engine/plan/arena.h"
#include "engine/plan/builder.h"

namespace loupe {

namespace {
bool contains(const std::vector<NodeId>& ids, NodeId id) { return std::ranges::count(ids, id) > 0; }
}  // namespace

std::string Purpose::key() const {
  std::string k = rule.name;
  const auto list = [&](const char* name, const std::vector<NodeId>& ids) {
    k += name;
    for (NodeId i : ids) k += std::to_string(i) + ",";
  };
  const auto port = [](const Port& p) {
    return std::to_string(p.node) + ":" + std::to_string(p.output) + ",";
  };
  k += " values ";
  for (const Port& p : values) k += port(p);
  list(" gradients ", gradients);
  list(" records ", records);
  for (const Edit& e : edits) k += " edit " + std::to_string(static_cast<int>(e.kind)) + " " + port(e.at);
  if (!varying.empty()) list(" varying ", varying);
  if (parameters) k += " parameters";
  if (passing) k += " passing";
  return k + " from " + (from ? std::to_string(*from) : "-");
}

PlanBuilder::PlanBuilder(Plan& plan, PlanOptions options)
    : plan_(plan), graph_(plan.graph_), purpose_(plan.purpose_), options_(options) {
  if (purpose_.rule.folds) options_.fold_batch_norm = true;
  // Learned weights are those of the nodes as they stand.
  if (purpose_.parameters) options_.fold_batch_norm = false;
  for (NodeId n : purpose_.gradients)
    if (graph_.node(n).is_weight()) options_.fold_batch_norm = false;
  const auto nodes = static_cast<size_t>(graph_.size());
  for (NodeId n = 0; n < graph_.size(); ++n)
    plan_.node_values_.emplace_back(graph_.node(n).types.size(), ValueId{-1});
  plan_.node_gradient_.assign(nodes, -1);
  plan_.node_record_.assign(nodes, -1);
  plan_.node_input_.assign(nodes, -1);
  node_layout_.assign(nodes, Layout::planar);
  find_needed();
}

void PlanBuilder::build() {
  make_units();
  inputs();
  for (const Unit& u : units_) {
    forward(u);
    apply_edits(u.tail);
  }
  plan_.forward_steps_ = step_count();
  if (purpose_.from) backward();
  drop_unused_records();
  lifetimes();
  keep_across_edits();
  if (options_.share_memory) share_in_place();
  plan_.arena_bytes_ = place_slots(plan_.slots_);
  for (const PlanSlot& s : plan_.slots_)
    if (s.first < plan_.forward_steps_ && s.last >= plan_.forward_steps_ && s.last != kForever)
      plan_.tape_bytes_ += s.bytes;
}

bool PlanBuilder::edited(NodeId n) const {
  return std::ranges::any_of(purpose_.edits, [&](const Edit& e) { return e.at.node == n; });
}

// Its value is asked for.
bool PlanBuilder::kept(NodeId n) const {
  return std::ranges::count(purpose_.values, n, &Port::node) > 0 || purpose_.from == n || edited(n);
}

bool PlanBuilder::wanted(NodeId n) const { return kept(n) || contains(purpose_.gradients, n); }

void PlanBuilder::find_needed() {
  needed_.assign(at(graph_.size()), false);
  for (const Port& p : purpose_.values) {
    if (graph_.node(p.node).is_weight())
      throw UsageError("'" + graph_.node(p.node).name + "' is a weight, not a value of a pass");
    needed_[at(p.node)] = true;
  }
  for (NodeId n : purpose_.records) needed_[at(n)] = true;
  if (purpose_.from) needed_[at(*purpose_.from)] = true;
  for (NodeId n = graph_.size() - 1; n >= 0; --n)
    if (needed_[at(n)])
      for (const Port& p : graph_.node(n).inputs) needed_[at(p.node)] = true;
  for (const Edit& e : purpose_.edits)
    if (!needed_[at(e.at.node)] || graph_.node(e.at.node).is_weight())
      throw UsageError("an edit of '" + graph_.node(e.at.node).name +
                       "' changes nothing that the pass reads");
  if (!purpose_.from && (purpose_.parameters || !purpose_.gradients.empty()))
    throw UsageError("a gradient needs a node to start from");
  if (purpose_.parameters && !(purpose_.rule.rows.empty() && purpose_.rule.nodes.empty()))
    throw UsageError("parameters have gradients by the gradient rule alone, not by " + purpose_.rule.name);
  // On the way back only nodes between `from` and a wanted gradient take part.
  above_.assign(at(graph_.size()), false);
  for (NodeId n = 0; n < graph_.size(); ++n) {
    const Node& node = graph_.node(n);
    above_[at(n)] = contains(purpose_.gradients, n) ||
                    (purpose_.parameters && node.kind == Node::Kind::parameter && is_learned(node.role));
    for (const Port& p : node.inputs)
      if (above_[at(p.node)]) above_[at(n)] = true;
  }
  for (NodeId n : purpose_.gradients)
    if (!needed_[at(n)] || n > *purpose_.from)
      throw UsageError("layer '" + graph_.node(n).name + "' does not lead to '" +
                       graph_.node(*purpose_.from).name + "', so it has no gradient from there");
}

std::vector<Shape> PlanBuilder::operand_shapes(NodeId n) const {
  std::vector<Shape> in;
  for (const Port& p : graph_.node(n).inputs) in.push_back(type_of(p).shape);
  return in;
}

Plan::Plan(const Graph& graph, std::vector<Shape> inputs, Backend backend, Purpose purpose,
           PlanOptions options)
    : graph_(graph), inputs_(std::move(inputs)), backend_(backend), purpose_(std::move(purpose)) {
  for (const Shape& s : inputs_)
    if (s.rank() > 0 && s[0] < 1)
      throw UsageError("a batch holds at least one image, not " + std::to_string(s[0]));
  types_ = graph_.types(inputs_);
  PlanBuilder(*this, options).build();
}

ValueId Plan::value_of(const Port& p) const {
  const std::vector<ValueId>& values = node_values_.at(static_cast<size_t>(p.node));
  return values.at(static_cast<size_t>(p.output));
}

int Plan::step_of(const Port& p) const {
  const ValueId v = value_of(p);
  for (int i = 0; v >= 0 && i < forward_steps_; ++i)
    if (std::ranges::count(steps_[static_cast<size_t>(i)].outputs, v) > 0) return i;
  return -1;
}

}  // namespace loupe
