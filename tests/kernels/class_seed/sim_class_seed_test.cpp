// The choice of a class and its seed in the simulator, against the loop.
// ctest: FIXTURES_SETUP sim_coverage
#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <vector>

#include "kernels/class_seed/class_seed.h"
#include "tests/support/device.h"
#include "tests/support/kernels_run.h"

namespace loupe::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kMost = std::numeric_limits<float>::infinity();

std::vector<float> seeds(int64_t n, int64_t classes, const std::vector<float>& scores,
                         const std::vector<int32_t>& wanted) {
  const DeviceModule& sim = DeviceModule::of(Backend::sim);
  const auto copy = [&](const auto& values) {
    const auto bytes = static_cast<int64_t>(values.size() * sizeof values[0]);
    std::shared_ptr<void> data(sim.allocate(bytes), [&](void* p) { sim.release(p); });
    sim.upload(data.get(), values.data(), bytes);
    return data;
  };
  std::vector<float> seed(scores.size(), kNan);
  const auto x = copy(scores), w = copy(wanted), y = copy(seed);
  device::class_seed({&sim, nullptr}, n, classes, static_cast<const float*>(x.get()),
                     static_cast<const int32_t*>(w.get()), static_cast<float*>(y.get()));
  sim.download(seed.data(), y.get(), static_cast<int64_t>(seed.size() * sizeof(float)));
  return seed;
}

void check(int64_t n, int64_t classes, const std::vector<float>& scores, const std::vector<int32_t>& wanted) {
  std::vector<float> expected(scores.size());
  ref::class_seed(n, classes, scores.data(), wanted.data(), expected.data());
  for (int seed = 1; seed <= 5; ++seed) {
    DeviceModule::of(Backend::sim).configure("seed", std::to_string(seed));
    CHECK(seeds(n, classes, scores, wanted) == expected);
  }
  DeviceModule::of(Backend::sim).configure("seed", "1");
}

TEST_CASE("the seed is 1 at the class that is wanted, or at the highest score") {
  skip_without(Backend::sim);
  for (const int64_t classes : {1, 2, 31, 32, 33, 1000})
    for (const int64_t n : {1, 3, 4, 9}) {
      CAPTURE(classes);
      CAPTURE(n);
      std::vector<float> scores;
      std::vector<int32_t> wanted;
      for (int64_t i = 0; i < n * classes; ++i) scores.push_back(static_cast<float>(i * 7919 % 113) / 16 - 3);
      for (int64_t row = 0; row < n; ++row)
        wanted.push_back(row % 3 == 1 ? static_cast<int32_t>(classes - 1) : -1);
      check(n, classes, scores, wanted);
    }
  note_kernels_run("sim_class_seed_test");
}

TEST_CASE("of equal scores the first wins, infinities count, and NaN is chosen as class 0 alone") {
  skip_without(Backend::sim);
  std::vector<float> equal(70, 2.f), infinite(70, -kMost), nan(70, 1.f), first(70, 1.f);
  equal[3] = equal[40] = equal[67] = 5;
  infinite[69] = kMost;
  nan[5] = kNan, nan[50] = 3;
  first[0] = kNan;
  check(1, 70, equal, {-1});
  check(1, 70, infinite, {-1});
  check(1, 70, std::vector<float>(70, -kMost), {-1});
  check(1, 70, nan, {-1});
  check(1, 70, first, {-1});
  CHECK(seeds(1, 70, equal, {-1})[3] == 1);
  CHECK(seeds(1, 70, nan, {-1})[50] == 1);
  CHECK(seeds(1, 70, first, {-1})[0] == 1);
}

}  // namespace
}  // namespace loupe::test
