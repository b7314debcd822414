#include "engine/plan/rule.h"

namespace loupe {

namespace {
void rectify_then_vjp(SignalStep& s) { s.pass(s.vjp(s.rectify(s.signal()), 0), 0); }
void rectify_only(SignalStep& s) { s.pass(s.rectify(s.signal()), 0); }

Rule relu_family(std::string name, const Row& row) {
  return {std::move(name), {{"relu", row}, {"relu6", row}, {"leaky_relu", row}}, {}, false};
}
}  // namespace

const Row* Rule::find(const Node& node) const {
  if (const auto own = nodes.find(node.name); own != nodes.end()) return &own->second;
  if (!node.op) return nullptr;
  const auto of_kind = rows.find(node.op->kind().name);
  return of_kind == rows.end() ? nullptr : &of_kind->second;
}

Rule gradient_rule() { return {.name = "gradient"}; }
Rule guided_backprop_rule() { return relu_family("guided_backprop", rectify_then_vjp); }
Rule deconvnet_rule() { return relu_family("deconvnet", rectify_only); }

}  // namespace loupe
