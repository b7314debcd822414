// The simulator as a device module: the C interface of common/device.h.
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/common/device.h"
#include "kernels/device/module_table.h"
#include "kernels/sim/heap.h"
#include "kernels/sim/stream.h"
#include "kernels/sim/symbols.h"
#include "kernels/sim/trace.h"

namespace loupe::sim {

namespace {

// One device, one caller at a time: whoever computes on it holds this.
std::recursive_mutex g_device;
int g_captures = 0;  // going on

template <typename F>
auto guarded(Outcome* outcome, const F& f) -> decltype(f()) {
  const std::scoped_lock lock(g_device);
  try {
    return f();
  } catch (...) {
    describe_exception(outcome);
  }
  return decltype(f())();
}

bool is_inside(const void* p, int64_t bytes) {
  const Heap::Range r = Heap::get().find(reinterpret_cast<uintptr_t>(p));
  return bytes == 0 ||
         (r.begin != r.end && reinterpret_cast<uintptr_t>(p) + static_cast<uintptr_t>(bytes) <= r.end);
}

void expect_inside(const void* p, int64_t bytes, const char* what) {
  if (!is_inside(p, bytes))
    throw Failure(std::string(what) + " of " + std::to_string(bytes) +
                  " bytes is not inside one allocation of the device");
}

Tracer& tracer() {
  static Tracer t;
  return t;
}

int64_t number(const char* option, const char* value, int64_t least) {
  char* end = nullptr;
  const long long n = std::strtoll(value, &end, 10);
  if (end == value || *end || n < least)
    throw Failure("sim's option '" + std::string(option) + "' takes a number of at least " +
                      std::to_string(least) + ", not '" + value + "'",
                  Outcome::usage);
  return n;
}

void open(int32_t index, Outcome* o) {
  guarded(o, [&] {
    if (index != 0) throw Failure("the simulator is one device: use --device sim", Outcome::usage);
    Heap::get();
  });
}
void select(int32_t) {}

void describe(char* text, int64_t size, Outcome*) {
  std::snprintf(text, static_cast<size_t>(size),
                "simulator of a GPU (sm_90's limits), %u cores, schedule seed %llu",
                std::thread::hardware_concurrency(), static_cast<unsigned long long>(options().seed));
}

void configure(const char* option, const char* value, Outcome* o) {
  guarded(o, [&] {
    if (std::strcmp(option, "seed") == 0)
      options().seed = static_cast<uint64_t>(number(option, value, 0));
    else if (std::strcmp(option, "memory") == 0)
      options().memory = number(option, value, 0);
    else if (std::strcmp(option, "checks") == 0)
      options().checks = number(option, value, 0) != 0;
    else if (std::strcmp(option, "trace") == 0) {
      tracer().clear();
      g_observer = number(option, value, 0) ? &tracer() : nullptr;
    } else
      throw Failure("sim has no option '" + std::string(option) + "'; it has seed, memory, checks and trace",
                    Outcome::usage);
  });
}

template <typename Names>
std::string json_list(const Names& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "\"" : ", \"") + name + "\"";
  return "[" + list + "]";
}

const char* query(const char* what, Outcome* o) {
  static std::string answer;
  guarded(o, [&] {
    if (std::strcmp(what, "device") == 0)
      answer = R"({"name": "simulator"})";
    else if (std::strcmp(what, "trace") == 0) {
      synchronize(nullptr);
      answer = tracer().json();
    } else if (std::strcmp(what, "kernels") == 0) {
      const std::vector<std::string> all = kernel_names();
      answer = "{\"all\": " + json_list(all) + ", \"run\": " + json_list(kernels_run()) + "}";
    } else
      throw Failure("sim knows nothing of '" + std::string(what) + "'", Outcome::usage);
  });
  return answer.c_str();
}

void* allocate(int64_t bytes, Outcome* o) {
  return guarded(o, [&] {
    if (g_captures > 0) throw Failure("an allocation while a stream is being captured");
    return Heap::get().allocate(bytes);
  });
}

void release(void* p) {
  const std::scoped_lock lock(g_device);
  if (p) Heap::get().release(p);
}

void memory(int64_t* free, int64_t* total, Outcome*) {
  *total = options().memory;
  *free = *total - Heap::get().used();
}

// Larger uploads are done at once, so that no copy of them has to wait in the stream.
constexpr int64_t kLateUpload = 1 << 20;

void upload(void* to, const void* from, int64_t bytes, void* stream, Outcome* o) {
  guarded(o, [&] {
    StreamQueue& s = stream_of(stream);
    expect_no_capture(s, "an upload");
    expect_inside(to, bytes, "an upload");
    if (bytes == 0) return;
    if (bytes > kLateUpload) {
      synchronize(stream);
      std::memcpy(to, from, static_cast<size_t>(bytes));
      return;
    }
    const auto* first = static_cast<const std::byte*>(from);
    push(s, [to, copy = std::vector<std::byte>(first, first + bytes)] {
      // What was released since needs it no more: on a GPU a block waits for such work before it is used again.
      if (is_inside(to, static_cast<int64_t>(copy.size()))) std::memcpy(to, copy.data(), copy.size());
    });
  });
}

void download(void* to, const void* from, int64_t bytes, void* stream, Outcome* o) {
  guarded(o, [&] {
    synchronize(stream);
    expect_inside(from, bytes, "a download");
    if (bytes) std::memcpy(to, from, static_cast<size_t>(bytes));
  });
}

void begin_capture(void* stream, Outcome* o) {
  guarded(o, [&] {
    if (!stream) throw Failure("the default stream cannot be captured");
    StreamQueue& s = stream_of(stream);
    expect_no_capture(s, "a capture");
    s.captured = std::make_unique<Graph>();
    ++g_captures;
  });
}

void* end_capture(void* stream, Outcome* o) {
  return guarded(o, [&]() -> void* {
    if (!stream || !stream_of(stream).captured) throw Failure("no capture was begun in this stream");
    --g_captures;
    return stream_of(stream).captured.release();
  });
}

void replay(void* graph, void* stream, Outcome* o) {
  guarded(o, [&] {
    StreamQueue& s = stream_of(stream);
    expect_no_capture(s, "a replay");
    for (const std::function<void()>& work : static_cast<const Graph*>(graph)->work) push(s, work);
  });
}

void destroy_graph(void* graph) {
  const std::scoped_lock lock(g_device);
  delete static_cast<Graph*>(graph);
}

void* create_stream(Outcome* o) {
  return guarded(o, []() -> void* { return new StreamQueue; });
}
void destroy_stream(void* s) { delete static_cast<StreamQueue*>(s); }
void wait_for(void* s, Outcome* o) {
  guarded(o, [&] { synchronize(s); });
}

void* create_event(Outcome* o) {
  return guarded(o, []() -> void* { return new Event; });
}
void destroy_event(void* e) { delete static_cast<Event*>(e); }

void record(void* event, void* stream, Outcome* o) {
  guarded(o, [&] {
    Event& e = *static_cast<Event*>(event);
    StreamQueue& s = stream_of(stream);
    expect_no_capture(s, "an event");
    push(s, [&e] { e.time = std::chrono::steady_clock::now(); });
    e.stream = &s;
    e.ticket = s.queued;
  });
}

void wait(void* stream, void* event, Outcome* o) {
  guarded(o, [&] {
    const Event e = *static_cast<Event*>(event);  // as it is recorded now
    if (e.stream) push(stream_of(stream), [e] { drain(*e.stream, e.ticket); });
  });
}

double elapsed_ms(void* from, void* to, Outcome* o) {
  return guarded(o, [&] {
    Event &a = *static_cast<Event*>(from), &b = *static_cast<Event*>(to);
    for (Event* e : {&a, &b}) {
      if (!e->stream) throw Failure("elapsed_ms() of an event that was never recorded");
      drain(*e->stream, e->ticket);
    }
    return std::chrono::duration<double, std::milli>(b.time - a.time).count();
  });
}

}  // namespace

}  // namespace loupe::sim

extern "C" __attribute__((visibility("default"))) const loupe::DeviceInterface* loupe_device_interface() {
  using namespace loupe::sim;
  static const loupe::DeviceInterface interface {
    loupe::kDeviceInterfaceVersion, static_cast<int32_t>(table().size()),
        table().data(), open, select, describe, configure, query, allocate, release, memory, upload, download,
        create_stream, destroy_stream, wait_for, create_event, destroy_event, record, wait, elapsed_ms,
        begin_capture, end_capture, replay, destroy_graph
  };
  return &interface;
}
