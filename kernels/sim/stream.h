// Streams and events of the simulator. Work waits in its stream until something asks for it.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernels/sim/runtime.h"

namespace loupe::sim {

/// Work that was captured, to be queued again and again.
struct Graph {
  std::vector<std::function<void()>> work;
};

struct StreamQueue {
  std::deque<std::function<void()>> work;
  uint64_t queued = 0, done = 0;    // counts of all work so far
  std::unique_ptr<Graph> captured;  // there while a capture is going on, and gets what is queued
};

/// A place in a stream.
struct Event {
  StreamQueue* stream = nullptr;  // null: never recorded
  uint64_t ticket = 0;            // its work up to here comes before
  std::chrono::steady_clock::time_point time{};
};

StreamQueue& stream_of(void* stream);
void push(StreamQueue&, std::function<void()> work);
/// Throws Failure while the stream is being captured, when nothing may wait for it; `what` says who wants to.
void expect_no_capture(const StreamQueue&, const char* what);
/// The kernels that have run in this process, by name.
const std::set<std::string>& kernels_run();
/// Does the work of a stream up to `ticket`. What fails throws Failure, and the rest of the stream is
/// dropped, as a GPU's context is lost.
void drain(StreamQueue&, uint64_t ticket);

}  // namespace loupe::sim
