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

inline constexpr int32_t kDeviceInterfaceVersion = 1;

/// Pointers to device memory are opaque to the host. A null stream is the default one. Work in a stream
/// happens in order; `upload` and `download` wait for it, launchers do not.
struct DeviceInterface {
  int32_t version;
  int32_t function_count;
  const ModuleFunction* functions;

  void (*open)(Outcome*);  // finds the device; nothing below is called before
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
};

// ---- the host's side

/// A loaded module. Its calls throw Error (DeviceOutOfMemory where memory is short).
class DeviceModule {
 public:
  /// Of Backend::cuda or Backend::sim; loaded and opened once. Throws Error, one line, if it is not in this
  /// build or the machine has no such device.
  static DeviceModule& of(Backend);
  /// A module that lies elsewhere, with kernels of its own; for tests.
  static std::unique_ptr<DeviceModule> load(Backend, const std::string& path);
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

  void call(std::string_view function, void* stream, const void* const* arguments) const;
  bool has(std::string_view function) const;
  std::vector<std::string> functions() const;
  const DeviceInterface& interface() const { return *interface_; }

 private:
  DeviceModule(Backend backend, const DeviceInterface* interface)
      : backend_(backend), interface_(interface) {}
  void check(const Outcome&) const;
  const ModuleFunction* find(std::string_view name) const;
  Backend backend_;
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
