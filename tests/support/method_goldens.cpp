#include "tests/support/method_goldens.h"

#include <doctest/doctest.h>

#include "tests/support/networks.h"
#include "tests/support/ties.h"

namespace loupe::test {

namespace {
using Signal = Tensor (*)(Network&, const Tensor&, const GradientOptions&);

// One run of a method on one device.
struct Agreement {
  const MethodGoldens& goldens;
  std::string summary;

  void check(const std::string& name, const std::string& how, const Tensor& ours, double bound) {
    const double error = relative_l2(ours, goldens.map(name));
    char text[96];
    std::snprintf(text, sizeof text, "  %s, %s: %.2g (bound %.0e)\n", name.c_str(), how.c_str(), error,
                  bound);
    summary += text;
    INFO(name << " " << how);
    CHECK(error <= bound);
  }
  void check(const std::string& name, const TieReport& ties) {
    summary += "  " + name + ": " + ties.str() + "\n";
    INFO(name << ": " << ties.str());
    CHECK(ties.failed == 0);
    CHECK(ties.compared > 0);
  }
};
}  // namespace

void check_methods(Network& ref, Network& cpu, const MethodGoldens& goldens, bool occlusion_on_ref) {
  const Tensor input = goldens.map("input");
  const Shape& shape = input.shape();
  const Tensor x = shape.rank() == 4 ? input : input.reshape({1, shape[0], shape[1], shape[2]});
  const Target target = goldens.target;
  Agreement agreement{goldens, {}};

  for (Network* net : {&ref, &cpu}) {
    const bool exact = net == &ref;
    const std::string how = net->device().str();
    const double bound = exact ? 1e-5 : 1e-4;
    const Tensor logits = net->logits(x);
    CHECK(Target(top1).classes(logits)[0] == goldens.target);
    agreement.check("logits", how, logits, bound);
    if (goldens.cam) agreement.check("cam", how, cam(*net, x, {.target = target}), bound);
    agreement.check("grad_cam", how, grad_cam(*net, x, {.target = target, .layer = goldens.grad_cam_layer}),
                    bound);
    if (exact && !occlusion_on_ref) continue;
    OcclusionOptions options = goldens.occlusion;
    options.target = target;
    const OcclusionResult r = occlusion(*net, x, options);
    agreement.check("occlusion_logit", how, r.logit, bound);
    if (goldens.occlusion_probability) agreement.check("occlusion_probability", how, r.probability, bound);
    agreement.check("occlusion_attribution", how, r.attribution, exact ? bound : 1e-3);
  }

  ref.memory_limit = int64_t{1} << 29;  // of a batch whose every value is kept
  Tapes tapes(ref, cpu);
  bool first = true;
  for (const auto& [name, signal] : {std::pair<const char*, Signal>{"gradient", gradient},
                                     {"input_x_gradient", input_x_gradient},
                                     {"guided_backprop", guided_backprop},
                                     {"deconvnet", deconvnet}}) {
    GradientOptions options{.target = target};
    if (first) options.probe = tapes.record_and_account();  // one forward pass serves all four
    first = false;
    agreement.check(name, "ref", signal(ref, x, options), 1e-5);
    options.probe = tapes.inject();
    agreement.check(name, "cpu with ref's masks and switches", signal(cpu, x, options), 1e-4);
    agreement.check(name, "cpu", signal(cpu, x, {.target = target}), 0.1);
  }
  agreement.check("gradient's forward pass", tapes.report());

  Tapes steps(ref, cpu);
  IntegratedGradientsOptions options{.target = target};
  options.probe = steps.record_and_account();
  agreement.check("integrated_gradients", "ref", integrated_gradients(ref, x, options).attribution, 1e-5);
  options.probe = steps.inject();
  agreement.check("integrated_gradients", "cpu with ref's masks and switches",
                  integrated_gradients(cpu, x, options).attribution, 1e-4);
  options.probe = {};
  agreement.check("integrated_gradients", "cpu", integrated_gradients(cpu, x, options).attribution, 0.1);
  agreement.check("integrated_gradients, all steps", steps.report());
  MESSAGE(goldens.title << "\n" << agreement.summary);
}

}  // namespace loupe::test
