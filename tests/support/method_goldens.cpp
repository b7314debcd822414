#include "tests/support/method_goldens.h"

#include <doctest/doctest.h>

#include <memory>

#include "models/loupe.h"
#include "tests/support/networks.h"
#include "tests/support/places.h"
#include "tests/support/ties.h"

namespace loupe::test {

namespace {
using Signal = Tensor (*)(Network&, const Tensor&, const GradientOptions&);

std::string injected(const Network& net) { return net.device().str() + " with ref's masks and switches"; }

// Checks, and what they found in one message.
struct Findings {
  const MethodGoldens& goldens;
  std::string text;

  explicit Findings(const MethodGoldens& g) : goldens(g), text(g.title + "\n") {}
  ~Findings() { MESSAGE(text); }
  void check(const std::string& name, const std::string& how, const Tensor& ours, double bound) {
    const double error = relative_l2(ours, goldens.map(name));
    char line[128];
    std::snprintf(line, sizeof line, "  %s, %s: %.2g (bound %.0e)\n", name.c_str(), how.c_str(), error,
                  bound);
    text += line;
    INFO(line);
    CHECK(error <= bound);
  }
  void check(const std::string& name, const TieReport& ties) {
    text += "  " + name + ": " + ties.str() + "\n";
    INFO(name << ": " << ties.str());
    CHECK(ties.failed == 0);
    CHECK((ties.compared > 0) == !recorders(goldens.fast.graph()).empty());
  }
};

Tensor input_of(const MethodGoldens& goldens) {
  const Tensor x = goldens.map("input");
  const Shape& s = x.shape();
  return s.rank() == 4 ? x : x.reshape({1, s[0], s[1], s[2]});
}

constexpr int64_t kRefMemory = int64_t{1} << 29;  // of a batch of which every value is kept
}  // namespace

MethodGoldens formula_goldens(const std::string& model, Device device) {
  const auto file = std::make_shared<SafetensorsFile>(
      SafetensorsFile::open(source_dir() + "/tests/golden/methods/" + model + ".safetensors"));
  const Shape& input = file->info("input").shape;
  const ModelOptions size{.height = input[2], .width = input[3]};
  // The file names the layer as a module, or with "<" the module's input.
  std::string layer = file->metadata().at("grad_cam_layer");
  const Model built = models::build(model, size);
  if (layer.starts_with("<"))
    layer = built.graph.node(built.graph.node(built.graph.find(layer.substr(1))).inputs[0].node).name;
  CHECK(built.graph.find(built.trunk) == built.graph.find(layer));
  return {.title = model,
          .map = [file](const std::string& map) { return file->tensor(map); },
          .ref = models::load(model, "formula", Device::ref(), size),
          .fast = models::load(model, "formula", device, size),
          .target = std::stoll(file->metadata().at("class")),
          .grad_cam_layer = layer,
          .has_cam = file->contains("cam"),
          .has_rollout = file->contains("attention_rollout"),
          .occlusion_on_ref = true,
          .has_probability = true,
          .occlusion = {.window = 16, .stride = 8}};
}

MethodGoldens photo_goldens(const std::string& photo, Device device) {
  const std::string shared = LOUPE_SHARED_DIR, weights = shared + "/weights/squeezenet1_1.safetensors";
  const auto file = std::make_shared<SafetensorsFile>(
      SafetensorsFile::open(shared + "/golden/squeezenet1_1/" + photo + ".safetensors"));
  return {.title = photo,
          .map =
              [file](const std::string& map) {
                return file->tensor(map == "occlusion_attribution" ? "occlusion_captum" : map);
              },
          .ref = models::load("squeezenet1_1", weights, Device::ref()),
          .fast = models::load("squeezenet1_1", weights, device),
          .target = std::stoll(file->metadata().at("class")),
          .grad_cam_layer = "features.12",
          .has_cam = true,
          .has_rollout = false,
          .occlusion_on_ref = false,
          .has_probability = false,
          .occlusion = {.window = 32, .stride = 8}};
}

void check_methods(MethodGoldens goldens) {
  const Tensor x = input_of(goldens);
  const Target target = goldens.target;
  ImageModel &ref = goldens.ref, &fast = goldens.fast;
  Findings findings(goldens);

  for (ImageModel* net : {&ref, &fast}) {
    const bool exact = net == &ref;
    const std::string how = net->device().str();
    const double bound = exact ? 1e-5 : 1e-4;
    const Tensor logits = net->logits(x);
    CHECK(Target(top1).classes(logits)[0] == goldens.target);
    findings.check("logits", how, logits, bound);
    if (goldens.has_cam) findings.check("cam", how, cam(*net, x, {.target = target}), bound);
    if (goldens.has_rollout) findings.check("attention_rollout", how, attention_rollout(*net, x), bound);
    findings.check("grad_cam", how, grad_cam(*net, x, {.target = target, .layer = goldens.grad_cam_layer}),
                   bound);
    if (exact && !goldens.occlusion_on_ref) continue;
    OcclusionOptions options = goldens.occlusion;
    options.target = target;
    const OcclusionResult r = occlusion(*net, x, options);
    findings.check("occlusion_logit", how, r.logit, bound);
    if (goldens.has_probability) findings.check("occlusion_probability", how, r.probability, bound);
    findings.check("occlusion_attribution", how, r.attribution, exact ? bound : 1e-3);
  }

  ref.network.memory_limit = kRefMemory;
  Tapes tapes(ref, fast);
  bool first = true;
  for (const auto& [name, signal] : {std::pair<const char*, Signal>{"gradient", gradient},
                                     {"input_x_gradient", input_x_gradient},
                                     {"guided_backprop", guided_backprop},
                                     {"deconvnet", deconvnet}}) {
    GradientOptions options{.target = target};
    if (first) options.probe = tapes.record_and_account();  // one forward pass serves all four
    first = false;
    findings.check(name, "ref", signal(ref, x, options), 1e-5);
    options.probe = tapes.inject();
    findings.check(name, injected(fast), signal(fast, x, options), 1e-4);
    findings.check(name, fast.device().str(), signal(fast, x, {.target = target}), 0.1);
  }
  findings.check("the forward pass", tapes.report());
}

void check_integrated_gradients(MethodGoldens goldens) {
  const Tensor x = input_of(goldens);
  Network &ref = goldens.ref, &fast = goldens.fast;
  Findings findings(goldens);
  ref.memory_limit = kRefMemory;
  Tapes steps(ref, fast);
  IntegratedGradientsOptions options{.target = goldens.target};
  const auto check = [&](const std::string& how, Network& net, Probe probe, double bound) {
    options.probe = std::move(probe);
    const IntegratedGradientsResult r = integrated_gradients(net, x, options);
    findings.check("integrated_gradients", how, r.attribution, bound);
  };
  check("ref", ref, steps.record_and_account(), 1e-5);
  check(injected(fast), fast, steps.inject(), 1e-4);
  check(fast.device().str(), fast, {}, 0.1);
  findings.check("all steps", steps.report());
}

}  // namespace loupe::test
