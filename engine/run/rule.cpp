#include "engine/run/rule.h"

namespace loupe {

namespace {
void rectify_then_vjp(SignalStep& s) { s.pass(s.vjp(s.rectify(s.signal()), 0), 0); }
void rectify_only(SignalStep& s) { s.pass(s.rectify(s.signal()), 0); }

Rule relu_family(std::string name, const Row& row) {
  return {std::move(name), {{"relu", row}, {"relu6", row}, {"leaky_relu", row}}};
}
}  // namespace

Rule gradient_rule() { return {"gradient", {}}; }
Rule guided_backprop_rule() { return relu_family("guided_backprop", rectify_then_vjp); }
Rule deconvnet_rule() { return relu_family("deconvnet", rectify_only); }

}  // namespace loupe
