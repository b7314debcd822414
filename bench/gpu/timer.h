// Times of work on a device, by its own events.
//
// A launch keeps the host busy for some microseconds, so that single launches of a short kernel would measure
// the host. Many are therefore recorded once, as a graph of the device's, which is replayed: the host's part of
// a replay is one call.
#pragma once
#include <algorithm>
#include <functional>
#include <list>
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

/// Where is timed, and how often.
struct Place {
  const DeviceModule& module;
  void* stream;            // not the default one, which cannot be recorded
  int groups = 7;          // of launches; the median counts
  bool simulated = false;  // times mean nothing: one launch, recorded and replayed
};

/// Two places in a stream and the time between them.
class Stopwatch {
 public:
  explicit Stopwatch(const Place& place) : c_(place.module.interface()), stream_(place.stream) {
    from_ = checked([&](Outcome* o) { return c_.create_event(o); });
    to_ = checked([&](Outcome* o) { return c_.create_event(o); });
  }
  ~Stopwatch() {
    c_.destroy_event(from_);
    c_.destroy_event(to_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  /// `before` is queued first and not timed: while it runs, the host queues the rest.
  double ms(const std::function<void()>& work, const std::function<void()>& before = {}) {
    if (before) before();
    checked([&](Outcome* o) { return c_.record(from_, stream_, o), 0; });
    work();
    checked([&](Outcome* o) { return c_.record(to_, stream_, o), 0; });
    return checked([&](Outcome* o) { return c_.elapsed_ms(from_, to_, o); });
  }

 private:
  const DeviceInterface& c_;
  void* stream_;
  void *from_ = nullptr, *to_ = nullptr;
};

struct Timing {
  double us;   // of one launch
  bool graph;  // of replays; false: of single launches, because they could not be recorded
};

/// The median of the groups of launches, each about 2 ms long and over every one of the `sets` of operands that
/// `launch` goes through in turn. Every set is queued once before: plans are made then, and memory is found.
inline Timing time_launches(const Place& place, const std::function<void()>& launch, int sets) {
  Stopwatch watch(place);
  const auto many = [&](int n) {
    for (int i = 0; i < n; ++i) launch();
  };
  const auto record = [&](int n) { return place.module.capture(place.stream, [&] { many(n); }); };
  const auto replay = [&](const auto& graph) { place.module.replay(graph, place.stream); };
  if (place.simulated) {
    const auto one = record(1);
    return {1e3 * watch.ms([&] { replay(one); }), true};
  }
  watch.ms([&] { many(std::max(sets, 4)); });
  const double first = watch.ms([&] { many(4); }) / 4;
  const int wanted = static_cast<int>(std::clamp(2.0 / std::max(first, 1e-3), 1.0, 500.0));
  const int launches = (std::max(wanted, sets) + sets - 1) / sets * sets;

  std::shared_ptr<void> graph;
  try {
    graph = record(launches);
  } catch (const Error&) {  // a library may do what cannot be recorded
  }
  const auto group = [&] { graph ? replay(graph) : many(launches); };
  watch.ms(group);
  std::vector<double> times;
  // The launch of a graph of hundreds takes the host long; it hides behind an earlier replay.
  const std::function<void()> before = graph ? std::function<void()>(group) : nullptr;
  for (int g = 0; g < place.groups; ++g) times.push_back(watch.ms(group, before) / launches);
  const auto middle = times.begin() + place.groups / 2;
  std::ranges::nth_element(times, middle);
  return {1e3 * *middle, graph != nullptr};
}

struct Timed {
  double us;
  int64_t bytes;
  bool graph;
};

/// Of what `emplace(list)` appends: a call over operands of its own, with bytes() and (). There are as many
/// sets of operands as make up more than any cache.
template <typename Called, typename Emplace>
Timed time_calls(const Place& place, const Emplace& emplace) {
  std::list<Called> calls;
  emplace(calls);
  const int64_t bytes = calls.front().bytes();
  while (!place.simulated && calls.size() < 2048 &&
         bytes * static_cast<int64_t>(calls.size()) < (int64_t{256} << 20))
    emplace(calls);
  auto next = calls.begin();
  const auto launch = [&] {
    (*next)();
    if (++next == calls.end()) next = calls.begin();
  };
  const Timing t = time_launches(place, launch, static_cast<int>(calls.size()));
  return {t.us, bytes, t.graph};
}

}  // namespace loupe::bench
