// bench/gpu/timer.h in the simulator, whose times mean nothing: what is launched, and how often.
#include "bench/gpu/timer.h"

#include <doctest/doctest.h>

#include "kernels/conv2d/by_library.h"
#include "tests/support/device.h"

namespace loupe::bench {
namespace {

// Adds 1 to a number of the device with each launch.
class Counter {
 public:
  explicit Counter(const Place& place)
      : place_(place), data_(static_cast<float*>(place.module.allocate(2 * sizeof(float)))) {
    const float values[] = {0, 1};
    place.module.upload(data_, values, sizeof values, place.stream);
  }
  ~Counter() { place_.module.release(data_); }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  void operator()() const {
    device::bias_and_epilogue({&place_.module, place_.stream}, 1, 1, 1, data_ + 1, {}, nullptr, data_,
                              nullptr);
  }
  int count() const {
    float value = 0;
    place_.module.download(&value, data_, sizeof value, place_.stream);
    return static_cast<int>(value);
  }

 private:
  const Place& place_;
  float* data_;
};

TEST_CASE("launches are recorded once and replayed, over every set of operands") {
  test::skip_without(Backend::sim);
  const DeviceModule& sim = DeviceModule::of(Backend::sim);
  const std::shared_ptr<void> stream = sim.create_stream();
  const Place place{sim, stream.get(), 3, false};
  const Counter first(place), second(place), third(place);
  int calls = 0;
  const Timing t = time_launches(
      place,
      [&] {
        const Counter* const turn[] = {&first, &second, &third};
        (*turn[calls++ % 3])();
      },
      3);
  CHECK(t.graph);
  CHECK(t.us > 0);
  // 4 to warm up, 4 to see how long one takes; then so many as the graph has, each done once, then 3 times in pairs.
  const int recorded = calls - 8;
  CHECK(recorded > 0);
  CHECK(recorded % 3 == 0);
  CHECK(first.count() + second.count() + third.count() == 8 + 7 * recorded);
  CHECK(first.count() == 3 + 7 * recorded / 3);
}

TEST_CASE("what cannot be recorded is launched one by one, and that is said") {
  test::skip_without(Backend::sim);
  const DeviceModule& sim = DeviceModule::of(Backend::sim);
  const std::shared_ptr<void> stream = sim.create_stream();
  const Place place{sim, stream.get(), 3, false};
  const Counter counter(place);
  int calls = 0;
  const Timing t = time_launches(
      place,
      [&] {
        ++calls;
        counter();
        sim.synchronize(stream.get());  // a library may
      },
      1);
  CHECK(!t.graph);
  CHECK(counter.count() >= calls - 1);  // all but the one that was to be recorded
}

TEST_CASE("in a simulated place a launch is recorded, and happens once") {
  test::skip_without(Backend::sim);
  const DeviceModule& sim = DeviceModule::of(Backend::sim);
  const std::shared_ptr<void> stream = sim.create_stream();
  const Place place{sim, stream.get(), 7, true};
  const Counter counter(place);
  int calls = 0;
  const auto launch = [&] {
    ++calls;
    counter();
  };
  CHECK(time_launches(place, launch, 5).graph);
  CHECK(calls == 1);
  CHECK(counter.count() == 1);
}

}  // namespace
}  // namespace loupe::bench
