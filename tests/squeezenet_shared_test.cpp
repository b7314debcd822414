// Every method on SqueezeNet 1.1 with its ImageNet weights, on photographs, against maps by PyTorch and
// Captum.
#include <doctest/doctest.h>

#include "models/io/safetensors.h"
#include "models/models.h"
#include "tests/support/method_goldens.h"

namespace loupe::test {
namespace {

void check(const std::string& photo) {
  const std::string shared = LOUPE_SHARED_DIR, weights = shared + "/weights/squeezenet1_1.safetensors";
  const SafetensorsFile file =
      SafetensorsFile::open(shared + "/golden/squeezenet1_1/" + photo + ".safetensors");
  Network ref = models::load("squeezenet1_1", weights, Device::ref()),
          cpu = models::load("squeezenet1_1", weights, Device::cpu());
  check_methods(ref, cpu,
                {.title = photo,
                 .map =
                     [&](const std::string& map) {
                       return file.tensor(map == "occlusion_attribution" ? "occlusion_captum" : map);
                     },
                 .target = std::stoll(file.metadata().at("class")),
                 .grad_cam_layer = ref.trunk,
                 .occlusion_probability = false,
                 .occlusion = {.window = 32, .stride = 8}},
                false);
}

TEST_CASE("squeezenet1_1 on photographs: jaguar") { check("jaguar"); }
TEST_CASE("squeezenet1_1 on photographs: golden retriever") { check("golden_retriever"); }
TEST_CASE("squeezenet1_1 on photographs: gibbon") { check("gibbon"); }

}  // namespace
}  // namespace loupe::test
