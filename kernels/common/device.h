// The devices `cuda` and `sim`: modules loaded on first use, each with its own memory, and the launchers in
// them.
//
// A module is a shared object beside the program (libloupe_cuda.so, libloupe_sim.so) with one C function,
// loupe_device_interface(). Both are built from the same kernels/*/*.cu. Nothing is thrown across the border:
// every entry takes an Outcome and fills it in. A process that never asks for a device never maps its module,
// nor the libraries behind it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace loupe {

enum class Backend : uint8_t;

// ---- the C interface

/// How a call of a module went. `text` is one line for people.
struct Outcome {
  enum Kind : int32_t { fine, failed, out_of_memory, no_device, usage };
  Kind kind;
  char text[2044];
};

/// A launcher of a module: reads its arguments through pointers to them.
struct ModuleFunction {
  const char* name;
  void (*call)(void* stream, const void* const* arguments, Outcome*);
};

inline constexpr int32_t kDeviceInterfaceVersion = 2;

/// Pointers to device memory are opaque to the host. A null stream is the default one. Work in a stream
/// happens in order; `download` waits for it, launchers and `upload` do not: what was uploaded has been read
/// from the host's memory when the call returns, and reaches the device's in its turn.
///
/// A module serves every device of its kind in the machine. A thread says by `select` which one its next
/// calls are about; a stream, an event, a block of memory and a graph belong to the device that made them.
struct DeviceInterface {
  int32_t version;
  int32_t function_count;
  const ModuleFunction* functions;

  void (*open)(int32_t index, Outcome*);  // finds a device, and selects it; nothing below is called before
  void (*select)(int32_t index);
  void (*describe)(char* text, int64_t size, Outcome*);
  void (*configure)(const char* option, const char* value, Outcome*);
  const char* (*query)(const char* what, Outcome*);  // JSON; good until the next query

  void* (*allocate)(int64_t bytes, Outcome*);  // 256-byte aligned
  void (*release)(void*);
  void (*memory)(int64_t* free, int64_t* total, Outcome*);
  void (*upload)(void* to, const void* from, int64_t bytes, void* stream, Outcome*);
  void (*download)(void* to, const void* from, int64_t bytes, void* stream, Outcome*);

  void* (*create_stream)(Outcome*);
  void (*destroy_stream)(void*);
  void (*synchronize)(void* stream, Outcome*);
  void* (*create_event)(Outcome*);
  void (*destroy_event)(void*);
  void (*record)(void* event, void* stream, Outcome*);
  void (*wait)(void* stream, void* event, Outcome*);
  double (*elapsed_ms)(void* from, void* to, Outcome*);

  // A graph: what launchers queue between begin_capture and end_capture is not done, but kept, with its
  // arguments, and each replay queues all of it with one call. Nothing may wait for the stream in between, nor
  // copy to or from the host, nor allocate. Not of the default stream.
  void (*begin_capture)(void* stream, Outcome*);
  void* (*end_capture)(void* stream, Outcome*);  // after a failure, too: then there is no graph
  void (*replay)(void* graph, void* stream, Outcome*);
  void (*destroy_graph)(void*);
};

// ---- the host's side

/// A loaded module. Its calls throw Error (DeviceOutOfMemory where memory is short).
class DeviceModule {
 public:
  /// Device `index` of Backend::cuda or Backend::sim; loaded and opened once. Throws Error, one line, if it is
  /// not in this build or the machine has no such device.
  static DeviceModule& of(Backend, int index = 0);
  /// A module that lies elsewhere, with kernels of its own; for tests.
  static std::unique_ptr<DeviceModule> load(Backend, const std::string& path, int index = 0);
  /// Where the module of a backend lies, or why there is none. Loads nothing.
  static std::string status(Backend);
  /// The module's file is there. Loads nothing.
  static bool present(Backend);

  /// The device: its name, its driver.
  std::string describe() const;
  /// An option of the module, as `schedule seed` of sim. Throws UsageError for one it does not know.
  void configure(const std::string& option, const std::string& value) const;
  Backend backend() const { return backend_; }
  /// What the module tells about a subject, as JSON: "device"; "trace" and "kernels" of sim. Throws
  /// UsageError for others.
  std::string query(const std::string& what) const;

  void* allocate(int64_t bytes) const;
  void release(void*) const noexcept;
  struct Memory {
    int64_t free, total;
  };
  Memory memory() const;
  void upload(void* to, const void* from, int64_t bytes, void* stream = nullptr) const;
  void download(void* to, const void* from, int64_t bytes, void* stream = nullptr) const;
  void synchronize(void* stream = nullptr) const;
  /// A stream of its own, for the `stream` arguments here. Its work is done when the last owner lets go.
  std::shared_ptr<void> create_stream() const;
  /// The work that `queue` puts into the stream, as a graph (see DeviceInterface). Where it throws, there is
  /// none.
  std::shared_ptr<void> capture(void* stream, const std::function<void()>& queue) const;
  void replay(const std::shared_ptr<void>& graph, void* stream) const;

  void call(std::string_view function, void* stream, const void* const* arguments) const;
  bool has(std::string_view function) const;
  std::vector<std::string> functions() const;
  /// For calls that have no method here. This device is selected.
  const DeviceInterface& interface() const {
    interface_->select(index_);
    return *interface_;
  }

 private:
  DeviceModule(Backend backend, int index, const DeviceInterface* interface)
      : backend_(backend), index_(index), interface_(interface) {}
  void check(const Outcome&) const;
  const ModuleFunction* find(std::string_view name) const;
  Backend backend_;
  int index_;
  const DeviceInterface* interface_;
};

/// Where a launcher's work goes: a device and a stream of it.
struct Queue {
  const DeviceModule* module = nullptr;  // null: the host
  void* stream = nullptr;
};

/// A launcher that the modules export under `name`; its definition in a .cu has the same parameters after a
/// Stream (device/export.h). Calling it queues the work.
template <typename Signature>
struct DeviceFunction;

template <typename... Parameters>
struct DeviceFunction<void(Parameters...)> {
  static_assert((std::is_trivially_copyable_v<std::decay_t<Parameters>> && ...),
                "what crosses a module's border is plain data");
  const char* name;

  void operator()(const Queue& queue, std::decay_t<Parameters>... arguments) const {
    const void* pointers[] = {&arguments..., nullptr};
    queue.module->call(name, queue.stream, pointers);
  }
};

}  // namespace loupe
