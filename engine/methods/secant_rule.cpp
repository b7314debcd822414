// The rule secant: slopes of chords from each row of a batch to the next.
#include <algorithm>
#include <set>

#include "engine/methods/path_integral.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/secant_max_pool2d/secant_max_pool2d.h"
#include "kernels/secant_relu/secant_relu.h"

namespace loupe {

namespace {
void chord(SignalStep& s, const OpPtr& op) {
  s.pass(s.apply(op, {{.value = s.signal()}, {.value = s.operand(0).value}}), 0);
}

// The way back is the same whatever the values were, of what depends on the node.
bool is_linear(const Node& n, const std::vector<bool>& depends) {
  if (n.types[0].dtype != Dtype::f32) return false;
  const auto varies = [&](size_t i) { return depends[static_cast<size_t>(n.inputs[i].node)]; };
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    if (!varies(i)) continue;
    const Needs needs = n.op->needs(Direction::vjp(static_cast<int>(i)));
    if (needs.output || needs.record) return false;
    for (size_t k = 0; k < n.inputs.size(); ++k)
      if ((needs.operands >> k & 1) && varies(k)) return false;
  }
  return true;
}
}  // namespace

Rule secant_rule() {
  Rule rule{.name = "secant"};
  rule.rows["relu"] = [](SignalStep& s) { chord(s, secant_relu()); };
  rule.rows["max_pool2d"] = [](SignalStep& s) {
    chord(s, secant_max_pool2d(max_pool2d_pooling(*s.node().op)));
  };
  return rule;
}

std::optional<std::string> secant_unsuited(const Graph& graph, NodeId at, NodeId target) {
  std::vector<bool> depends(static_cast<size_t>(graph.size()));
  depends[static_cast<size_t>(at)] = true;
  for (NodeId n = at + 1; n <= target; ++n)
    for (const Port& p : graph.node(n).inputs)
      if (depends[static_cast<size_t>(p.node)]) depends[static_cast<size_t>(n)] = true;
  std::set<NodeId> leads{target};
  for (NodeId n = target; n > at; --n) {
    const Node& node = graph.node(n);
    if (!leads.contains(n) || !depends[static_cast<size_t>(n)]) continue;
    for (const Port& p : node.inputs) leads.insert(p.node);
    const std::string_view kind = node.op->kind().name;
    if (kind == "relu" || kind == "max_pool2d" || is_linear(node, depends)) continue;
    return "the rule secant has chords for ReLUs, max pools and what is linear, and '" + node.name + "' (" +
           std::string(kind) + ") is none of them";
  }
  return std::nullopt;
}

}  // namespace loupe
