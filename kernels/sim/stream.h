// Streams and events of the simulator. Work waits in its stream until something asks for it.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <set>
#include <string>

#include "kernels/sim/runtime.h"

namespace loupe::sim {

struct StreamQueue {
  std::deque<std::function<void()>> work;
  uint64_t queued = 0, done = 0;  // counts of all work so far
};

/// A place in a stream.
struct Event {
  StreamQueue* stream = nullptr;  // null: never recorded
  uint64_t ticket = 0;            // its work up to here comes before
  std::chrono::steady_clock::time_point time{};
};

StreamQueue& stream_of(void* stream);
void push(StreamQueue&, std::function<void()> work);
/// The kernels that have run in this process, by name.
const std::set<std::string>& kernels_run();
/// Does the work of a stream up to `ticket`. What fails throws Failure, and the rest of the stream is
/// dropped, as a GPU's context is lost.
void drain(StreamQueue&, uint64_t ticket);

}  // namespace loupe::sim
