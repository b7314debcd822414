// The GPU as a device module: the C interface of common/device.h.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/common/device.h"
#include "kernels/device/module_table.h"
#include "kernels/gpu/arena.h"
#include "kernels/gpu/info.h"
#include "kernels/gpu/libraries.h"
#include "kernels/gpu/runtime.h"
#include "kernels/gpu/staging.h"

namespace loupe::gpu {

namespace {

template <typename F>
auto guarded(Outcome* outcome, const F& f) -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    describe_exception(outcome);
  }
  return decltype(f())();
}

std::string as_json(const LibraryStatus& s) {
  return s.version.empty() ? "{\"missing\": " + quoted(s.missing) + "}"
                           : "{\"version\": " + quoted(s.version) + "}";
}

// Throws Failure, one line, where the library cannot be used.
std::string version_of(const std::string& name, const LibraryStatus& s) {
  if (s.version.empty()) throw Failure(name + " cannot be used: " + s.missing);
  return quoted(s.version);
}

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

void open(int32_t index, Outcome* o) {
  guarded(o, [&] { find_device(index); });
}
// Where it fails, the calls of this thread that follow fail too, and say so.
void select(int32_t index) {
  Outcome ignored{};
  guarded(&ignored, [&] { use_device(index); });
}

void describe(char* text, int64_t size, Outcome* o) {
  guarded(o, [&] { std::snprintf(text, static_cast<size_t>(size), "%s", describe_device().c_str()); });
}

void configure(const char* option, const char* value, Outcome* o) {
  guarded(o, [&] {
    const auto expect = [&](bool known, const char* values) {
      if (!known)
        throw Failure("cuda's option '" + std::string(option) + "' is " + values + ", not '" + value + "'",
                      Outcome::usage);
    };
    const std::string name = option, word = value;
    if (name == "arena") {
      expect(word == "keep" || word == "plain", "keep or plain");
      Arena::get().keep(word == "keep");
    } else if (name == "memory") {
      char* end = nullptr;
      const long long bytes = std::strtoll(value, &end, 10);
      expect(end != value && !*end && bytes >= 0, "a number of bytes (0: all)");
      Arena::get().limit(bytes);
    } else {
      throw Failure("cuda has no option '" + name + "'; it has arena and memory", Outcome::usage);
    }
  });
}

const char* query(const char* what, Outcome* o) {
  static thread_local std::string answer;
  guarded(o, [&] {
    if (std::strcmp(what, "device") == 0)
      answer = device_as_json();
    else if (std::strcmp(what, "libraries") == 0)
      answer = R"({"cublas": )" + as_json(cublas_status()) + R"(, "cudnn": )" + as_json(cudnn_status()) + "}";
    else if (std::strcmp(what, "cublas") == 0)
      answer = version_of("cuBLAS", cublas_status());
    else if (std::strcmp(what, "cudnn") == 0)
      answer = version_of("cuDNN", cudnn_status());
    else
      throw Failure("cuda knows nothing of '" + std::string(what) +
                        "'; it tells about device, libraries, cublas and cudnn",
                    Outcome::usage);
  });
  return answer.c_str();
}

void* allocate(int64_t bytes, Outcome* o) {
  return guarded(o, [&] { return Arena::get().allocate(bytes); });
}

void release(void* block) {
  if (has_device()) Arena::get().release(block);
}

void memory(int64_t* free, int64_t* total, Outcome* o) {
  guarded(o, [&] { Arena::get().memory(free, total); });
}

void upload(void* to, const void* from, int64_t bytes, void* stream, Outcome* o) {
  guarded(o, [&] { Staging::of(stream_of(stream)).upload(to, from, bytes); });
}
void download(void* to, const void* from, int64_t bytes, void* stream, Outcome* o) {
  guarded(o, [&] { Staging::of(stream_of(stream)).download(to, from, bytes); });
}

void* create_stream(Outcome* o) {
  return guarded(o, []() -> void* {
    cudaStream_t stream = nullptr;
    LOUPE_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
  });
}
void destroy_stream(void* stream) {
  if (!stream || !has_device()) return;
  cudaStreamSynchronize(stream_of(stream));
  Staging::forget(stream_of(stream));
  forget_cublas(stream);
  forget_scratch(stream);
  cudaStreamDestroy(stream_of(stream));
}
void synchronize(void* stream, Outcome* o) {
  guarded(o, [&] { LOUPE_CUDA(cudaStreamSynchronize(stream_of(stream))); });
}

void* create_event(Outcome* o) {
  return guarded(o, []() -> void* {
    cudaEvent_t event = nullptr;
    LOUPE_CUDA(cudaEventCreate(&event));
    return event;
  });
}
void destroy_event(void* event) {
  if (event) cudaEventDestroy(event_of(event));
}
void record(void* event, void* stream, Outcome* o) {
  guarded(o, [&] { LOUPE_CUDA(cudaEventRecord(event_of(event), stream_of(stream))); });
}
void wait(void* stream, void* event, Outcome* o) {
  guarded(o, [&] { LOUPE_CUDA(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0)); });
}
// Thread-local: other threads may do what a capture forbids, but for a wait for the whole device (Capturing).
void begin_capture(void* stream, Outcome* o) {
  guarded(o, [&] {
    if (!stream) throw Failure("the default stream cannot be captured");
    Capturing::begin();
    const cudaError_t status = cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeThreadLocal);
    if (status != cudaSuccess) Capturing::end();
    check(status, "cudaStreamBeginCapture", LOUPE_PLACE);
  });
}
void* end_capture(void* stream, Outcome* o) {
  return guarded(o, [&]() -> void* {
    cudaGraph_t graph = nullptr;
    const cudaError_t ended = cudaStreamEndCapture(stream_of(stream), &graph);
    Capturing::end();
    check(ended, "cudaStreamEndCapture", LOUPE_PLACE);
    cudaGraphExec_t ready = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&ready, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "cudaGraphInstantiate", LOUPE_PLACE);
    return ready;
  });
}
void replay(void* graph, void* stream, Outcome* o) {
  guarded(o, [&] { LOUPE_CUDA(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream))); });
}
void destroy_graph(void* graph) {
  if (!graph || !has_device()) return;
  const auto none = Capturing::none();
  cudaDeviceSynchronize();  // it may be under way
  cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
}

double elapsed_ms(void* from, void* to, Outcome* o) {
  return guarded(o, [&] {
    float ms = 0;
    LOUPE_CUDA(cudaEventSynchronize(event_of(from)));
    LOUPE_CUDA(cudaEventSynchronize(event_of(to)));
    LOUPE_CUDA(cudaEventElapsedTime(&ms, event_of(from), event_of(to)));
    return static_cast<double>(ms);
  });
}

}  // namespace

}  // namespace loupe::gpu

extern "C" __attribute__((visibility("default"))) const loupe::DeviceInterface* loupe_device_interface() {
  using namespace loupe::gpu;
  static const loupe::DeviceInterface interface {
    loupe::kDeviceInterfaceVersion, static_cast<int32_t>(table().size()),
        table().data(), open, select, describe, configure, query, allocate, release, memory, upload, download,
        create_stream, destroy_stream, synchronize, create_event, destroy_event, record, wait, elapsed_ms,
        begin_capture, end_capture, replay, destroy_graph
  };
  return &interface;
}
