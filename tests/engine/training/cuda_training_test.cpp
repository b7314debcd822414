// Training on a GPU.
#include "tests/support/device.h"
#include "tests/support/training.h"

namespace loupe::test {
namespace {

TEST_CASE("gradients on cuda agree with the reference") {
  skip_without(Backend::cuda);
  check_gradients(Device::cuda());
}

TEST_CASE("gradients on cuda of a batch whose sums are cut into parts") {
  skip_without(Backend::cuda);
  check_gradients(Device::cuda(), 60);
}

TEST_CASE("training on cuda follows the cpu's, and goes on bit for bit") {
  skip_without(Backend::cuda);
  check_training(Device::cuda());
}

}  // namespace
}  // namespace loupe::test
