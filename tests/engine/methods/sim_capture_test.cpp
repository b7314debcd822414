// Every method in the simulator, its passes replayed as graphs.
#include "tests/support/device.h"
#include "tests/support/replays.h"

namespace loupe::test {

TEST_CASE("a method that runs again is replayed, with the same bits") {
  skip_without(Backend::sim);
  check_replays(Device::sim());
}

}  // namespace loupe::test
