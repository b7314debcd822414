// Every method on a GPU: SqueezeNet 1.1 with its ImageNet weights, on photographs, against maps by PyTorch
// and Captum.
#include <doctest/doctest.h>

#include "tests/support/device.h"
#include "tests/support/method_goldens.h"

namespace loupe::test {
namespace {

MethodGoldens on_gpu(const std::string& photo) {
  skip_without(Backend::cuda);
  return photo_goldens(photo, Device::cuda());
}

TEST_CASE("squeezenet1_1 on cuda, photographs: jaguar") { check_methods(on_gpu("jaguar")); }
TEST_CASE("squeezenet1_1 on cuda, photographs: golden retriever") {
  check_methods(on_gpu("golden_retriever"));
}
TEST_CASE("squeezenet1_1 on cuda, photographs: gibbon") { check_methods(on_gpu("gibbon")); }

}  // namespace
}  // namespace loupe::test
