// Times of work on a device, by its own events.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/common/device.h"
#include "kernels/common/error.h"

namespace loupe::bench {

/// Calls an entry of a module's interface; throws Error where it fails.
template <typename F>
auto checked(const F& f) {
  Outcome outcome{};
  const auto result = f(&outcome);
  if (outcome.kind != Outcome::fine) throw Error(outcome.text);
  return result;
}

/// Two places in the default stream and the time between them.
class Stopwatch {
 public:
  explicit Stopwatch(const DeviceModule& module) : c_(module.interface()) {
    from_ = checked([&](Outcome* o) { return c_.create_event(o); });
    to_ = checked([&](Outcome* o) { return c_.create_event(o); });
  }
  ~Stopwatch() {
    c_.destroy_event(from_);
    c_.destroy_event(to_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  double ms(const std::function<void()>& work) {
    checked([&](Outcome* o) { return c_.record(from_, nullptr, o), 0; });
    work();
    checked([&](Outcome* o) { return c_.record(to_, nullptr, o), 0; });
    return checked([&](Outcome* o) { return c_.elapsed_ms(from_, to_, o); });
  }

 private:
  const DeviceInterface& c_;
  void *from_ = nullptr, *to_ = nullptr;
};

/// Microseconds of one `launch`: the median of `groups` groups of launches, each about 2 ms long, after a
/// warm-up that also queues every set of operands once. `once`: of one launch, for the simulator, whose times
/// mean nothing.
inline double time_us(const DeviceModule& module, const std::function<void()>& launch, int sets, int groups,
                      bool once) {
  Stopwatch watch(module);
  if (once) return 1e3 * watch.ms(launch);
  const auto many = [&](int n) {
    return watch.ms([&] {
      for (int i = 0; i < n; ++i) launch();
    });
  };
  many(std::max(sets, 4));
  const double first = many(3) / 3;
  const int launches = static_cast<int>(std::clamp(2.0 / std::max(first, 1e-3), 1.0, 500.0));
  std::vector<double> times;
  for (int g = 0; g < groups; ++g) times.push_back(many(launches) / launches);
  std::ranges::nth_element(times, times.begin() + groups / 2);
  return 1e3 * times[static_cast<size_t>(groups / 2)];
}

}  // namespace loupe::bench
