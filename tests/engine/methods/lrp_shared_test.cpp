// LRP and excitation backpropagation against the shared goldens, on photographs, resnet18 and vit_b_16.
// ctest: LABELS big
#include <doctest/doctest.h>

#include "engine/methods/attention_relevance.h"
#include "engine/methods/input_x_gradient.h"
#include "engine/methods/last_attention.h"
#include "engine/methods/lrp.h"
#include "models/io/formula.h"
#include "models/io/safetensors.h"
#include "models/models.h"
#include "tests/support/networks.h"
#include "tests/support/shared_maps.h"
#include "tests/support/ties.h"

namespace loupe::test {
namespace {

struct Golden {
  const char *name, *method, *map;
  std::map<std::string, std::string> options;
};

std::vector<Golden> goldens() {
  std::vector<Golden> list;
  for (const char* rule :
       {"0", "epsilon", "epsilon_025", "gamma", "zplus", "zplus_nobias", "alpha2_beta1", "flat", "wsquare"})
    list.push_back({rule, "lrp", "lrp", {{"rule", rule}}});
  for (const char* composite : {"epsilon_plus_flat", "epsilon_gamma_box"})
    list.push_back({composite, "lrp", "lrp", {{"composite", composite}}});
  list.push_back({"excitation_backprop", "excitation_backprop", "excitation_backprop", {}});
  list.push_back(
      {"excitation_backprop_deep", "excitation_backprop", "excitation_backprop", {{"layer", "features.12"}}});
  return list;
}

void check(const std::string& photo, Device device, double bound) {
  for (const Golden& g : goldens()) {
    const bool lrp = std::string(g.method) == "lrp";
    const std::string name = (lrp ? "lrp_" : "") + std::string(g.name);
    const double error =
        shared_distance(photo, name, map_of(explain_shared(photo, device, g.method, g.options), g.map));
    MESSAGE(photo << " " << device.str() << " " << name << ": " << error);
    if (device != Device::ref() && photo == "jaguar" && (name == "lrp_0" || name == "lrp_epsilon"))
      continue;  // ties, accounted for below
    CHECK_MESSAGE(error <= bound, photo, " ", device.str(), " ", name);
  }
}

TEST_CASE("relevance of photographs: ref") {
  for (const std::string& photo : photos()) check(photo, Device::ref(), 1e-4);
}

TEST_CASE("relevance of photographs: cpu") {
  for (const std::string& photo : photos()) check(photo, Device::cpu(), 1e-3);
}

// Where a network is piecewise linear LRP-0 is input × gradient, and LRP-ε nearly. Rounding to float32 moves a ReLU or
// a pool's winner, and with it the gradient, and these two maps alike: by what input × gradient changes with ref's
// masks and switches they are off.
void check_ties(Network& ref, Network& fast, const Tensor& x, const Target& target, const Tensor& map,
                const std::function<double(const Tensor&)>& distance) {
  Tapes tapes(ref, fast);
  input_x_gradient(ref, x, {.target = target, .probe = tapes.record_and_account()});
  MESSAGE(tapes.report().str());
  CHECK(tapes.report().failed == 0);
  CHECK(tapes.report().differing > 0);
  const Tensor tied = input_x_gradient(fast, x, {.target = target}).row(0),
               untied = input_x_gradient(fast, x, {.target = target, .probe = tapes.inject()}).row(0);
  const Tensor corrected = map.to(Dtype::f64).clone();
  for (int64_t i = 0; i < map.numel(); ++i)
    corrected.values<double>()[static_cast<size_t>(i)] += untied.item(i) - tied.item(i);
  MESSAGE(distance(map) << ", without the ties " << distance(corrected));
  CHECK(distance(corrected) <= 1e-3);
}

TEST_CASE("relevance of the jaguar on cpu: LRP-0 and LRP-epsilon differ by ties that the gradient has") {
  for (const std::string rule : {"0", "epsilon"}) {
    CAPTURE(rule);
    const Explanation found = explain_shared("jaguar", Device::cpu(), "lrp", {{"rule", rule}});
    check_ties(shared_squeezenet(Device::ref()), shared_squeezenet(Device::cpu()), shared_input("jaguar"),
               shared_class("jaguar"), map_of(found, "lrp"),
               [&](const Tensor& map) { return shared_distance("jaguar", "lrp_" + rule, map); });
  }
}

TEST_CASE("resnet18: batch norms folded, sums shared out, and how the score divides") {
  const auto golden = SafetensorsFile::open(LOUPE_SHARED_DIR "/golden/methods/resnet18_lrp.safetensors");
  const Tensor shares = golden.tensor("gradient_shares");
  const int64_t cls = std::stoll(golden.metadata().at("class"));
  const Tensor x = formula_input({1, 3, 224, 224});
  ImageModel ref = models::load("resnet18", "formula", Device::ref()),
             cpu = models::load("resnet18", "formula", Device::cpu());
  const auto distance = [](const Tensor& map) { return shared_distance("resnet18_lrp", "lrp_epsilon", map); };
  for (ImageModel* model : {&ref, &cpu}) {
    const GradientShares ours = gradient_shares(*model, x, cls);
    CHECK(ours.input[0] == doctest::Approx(shares.item(0)).epsilon(1e-5));
    CHECK(ours.biases[0] == doctest::Approx(shares.item(1)).epsilon(1e-3));
    CHECK(ours.input[0] + ours.biases[0] == doctest::Approx(golden.tensor("logit").item()).epsilon(1e-5));
  }
  const LrpOptions options{.target = cls, .rule = "epsilon"};
  CHECK(distance(lrp(ref, x, options).row(0)) <= 1e-4);
  MESSAGE("cpu, where three masks or switches fall the other way: " << distance(lrp(cpu, x, options).row(0)));
}

TEST_CASE("vit_b_16: gradient x attention relevance, and the last layer's attention") {
  const auto golden =
      SafetensorsFile::open(LOUPE_SHARED_DIR "/golden/methods/vit_b_16_attention.safetensors");
  const int64_t cls = std::stoll(golden.metadata().at("class"));
  const Tensor x = formula_input({1, 3, 224, 224});
  for (const Device device : {Device::cpu(), Device::ref()}) {
    ImageModel model = models::load("vit_b_16", "formula", device);
    const Method& method = find_method("last_attention");
    const Explanation last = method.run({.model = model, .input = x, .target = cls, .logits = {}},
                                        Options("last_attention", method.options));
    const double errors[] = {
        relative_l2(attention_relevance(model, x, cls), golden.tensor("attention_relevance")),
        relative_l2(map_of(last, "last_attention"), golden.tensor("last_attention")),
        relative_l2(map_of(last, "last_attention_heads"), golden.tensor("last_attention_heads"))};
    for (const double error : errors) {
      MESSAGE(device.str() << ": " << error);
      CHECK(error <= 1e-5);
    }
  }
}

}  // namespace
}  // namespace loupe::test
