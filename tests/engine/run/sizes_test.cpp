// One network, one store of weights, inputs of many sizes.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "engine/methods/grad_cam.h"
#include "engine/methods/gradient.h"
#include "models/io/formula.h"
#include "models/models.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

// Bytes of the different forms in which the steps of plans read weights; what lies as it was loaded counts
// for nothing.
int64_t bytes_of_forms(const std::vector<Plan>& plans) {
  std::map<std::string, int64_t> forms;
  for (const Plan& plan : plans)
    for (const PlanStep& s : plan.steps())
      for (const PlanOperand& o : s.operands) {
        if (!o.weight.exists()) continue;
        const Packing* packing = o.packing < 0 ? nullptr : &s.call.packing.at(static_cast<size_t>(o.packing));
        if (!packing && o.weight.folded < 0) continue;
        std::string key;
        for (const int part : {o.weight.node, o.weight.folded, o.weight.batch_norm, o.weight.operand})
          key += std::to_string(part) + " ";
        forms[key + (packing ? packing->format : "")] = 4 * (packing ? packing->floats : o.shape.numel());
      }
  int64_t sum = 0;
  for (const auto& [key, bytes] : forms) sum += bytes;
  return sum;
}

TEST_CASE("one network explains pictures of 224×224, 299×299 and 97×211 pixels as fresh networks do") {
  for (const char* name : {"squeezenet1_1", "resnet18"}) {
    CAPTURE(name);
    ImageModel model = models::load(name, "formula", Device::cpu());
    const NodeId output = model.graph().output();
    const Purpose purpose{.values = {output}, .from = output, .gradients = {0}};
    std::vector<Plan> plans;
    int64_t first = 0;
    for (const Shape& size : {Shape{1, 3, 224, 224}, {1, 3, 299, 299}, {1, 3, 97, 211}, {1, 3, 224, 224}}) {
      CAPTURE(size.str());
      const Tensor x = formula_input(size);
      const Tensor map = gradient(model, x, {.target = 5});
      plans.emplace_back(model.graph(), std::vector{size}, Backend::cpu, purpose);
      CHECK(model.network.packed_bytes() == bytes_of_forms(plans));
      if (!first) first = model.network.packed_bytes();
      ImageModel fresh = models::load(name, "formula", Device::cpu(), {.height = size[2], .width = size[3]});
      CHECK(same_bits(map, gradient(fresh, x, {.target = 5})));
      CHECK(same_bits(grad_cam(model, x, {.target = 5}), grad_cam(fresh, x, {.target = 5})));
      CHECK(same_bits(model.logits(x), fresh.logits(x)));
    }
    MESSAGE(model.name() << ": " << first << " bytes of weights for the first size, "
                         << model.network.packed_bytes() << " for all");
    CHECK(model.network.packed_bytes() < 2 * first);
  }
}

TEST_CASE("sizes take turns on every device, and no bit depends on what ran before") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    std::map<std::string, Tensor> maps;
    for (int round = 0; round < 2; ++round)
      for (const Shape& size : {Shape{2, 3, 14, 11}, {1, 3, 20, 9}, {3, 3, 7, 31}}) {
        const Tensor map = gradient(net, formula_input(size), {.target = 2});
        REQUIRE(map.shape() == size);
        if (round == 0) {
          maps[size.str()] = map;
          Network fresh = with_formula_weights(SmallNetwork{}.graph(), device);
          CHECK(same_bits(gradient(fresh, formula_input(size), {.target = 2}), map));
        } else {
          CHECK(same_bits(maps.at(size.str()), map));
        }
      }
  }
}

TEST_CASE("a size that a layer does not fit is refused in one line that names the layer") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const auto refusal = [&](const Shape& size) {
    return usage_error([&] { gradient(net, formula_input(size), {.target = 0}); });
  };
  CHECK(refusal({1, 3, 2, 11}).starts_with("node 'pool1': "));
  CHECK(refusal({1, 4, 14, 11}) == "the test network takes images like (N, 3, 14, 11), got (1, 4, 14, 11)");
  Network fixed = with_formula_weights(linear_graph(6, 5), Device::cpu());
  const std::string of_layer = usage_error([&] {
    gradient(fixed, formula_input({1, 3, 5, 5}), {.target = 0});
  });
  CHECK(of_layer.starts_with("node 'fc': "));
  CHECK(of_layer.find('\n') == std::string::npos);
}

}  // namespace
}  // namespace loupe::test
