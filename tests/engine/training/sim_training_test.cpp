// Training on the simulator.
#include "tests/support/device.h"
#include "tests/support/training.h"

namespace loupe::test {
namespace {

TEST_CASE("gradients on sim agree with the reference") {
  skip_without(Backend::sim);
  check_gradients(Device::sim());
}

TEST_CASE("gradients on sim of a batch whose sums are cut into parts") {
  skip_without(Backend::sim);
  check_gradients(Device::sim(), 60);
}

TEST_CASE("training on sim follows the cpu's, and goes on bit for bit") {
  skip_without(Backend::sim);
  check_training(Device::sim());
}

}  // namespace
}  // namespace loupe::test
