// Every method on a GPU: architectures with formula weights, against maps by PyTorch in double, as
// method_goldens_test holds the cpu.
#include <doctest/doctest.h>

#include "tests/support/device.h"
#include "tests/support/method_goldens.h"
#include "tests/support/replays.h"

namespace loupe::test {
namespace {

MethodGoldens on_gpu(const std::string& model) {
  skip_without(Backend::cuda);
  return formula_goldens(model, Device::cuda());
}

TEST_CASE("methods on cuda meet PyTorch: squeezenet1_1") { check_methods(on_gpu("squeezenet1_1")); }
TEST_CASE("methods on cuda meet PyTorch: resnet18") { check_methods(on_gpu("resnet18")); }
TEST_CASE("methods on cuda meet PyTorch: vgg11_bn") { check_methods(on_gpu("vgg11_bn")); }
TEST_CASE("methods on cuda meet PyTorch: mobilenet_v2") { check_methods(on_gpu("mobilenet_v2")); }

TEST_CASE("a method that runs again on cuda is replayed, with the same bits") {
  skip_without(Backend::cuda);
  check_replays({Backend::cuda});
}

TEST_CASE("integrated gradients on cuda meet PyTorch: squeezenet1_1") {
  check_integrated_gradients(on_gpu("squeezenet1_1"));
}
TEST_CASE("integrated gradients on cuda meet PyTorch: mobilenet_v2") {
  check_integrated_gradients(on_gpu("mobilenet_v2"));
}

}  // namespace
}  // namespace loupe::test
