#include "kernels/common/device.h"

#include <dlfcn.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

#include "kernels/common/error.h"
#include "kernels/common/op.h"

#ifndef LOUPE_CUDA_MISSING
#define LOUPE_CUDA_MISSING ""
#endif
#ifndef LOUPE_MODULE_DIR
#define LOUPE_MODULE_DIR ""
#endif
#ifndef LOUPE_MODULE_INSTALL_DIR
#define LOUPE_MODULE_INSTALL_DIR ""
#endif
#ifndef LOUPE_SIM_MISSING
#define LOUPE_SIM_MISSING ""
#endif

namespace loupe {

namespace {

namespace fs = std::filesystem;

std::string file_name(Backend b) { return "libloupe_" + std::string(backend_name(b)) + ".so"; }

std::string missing_reason(Backend b) { return b == Backend::cuda ? LOUPE_CUDA_MISSING : LOUPE_SIM_MISSING; }

// Where the dynamic linker looks for the program's own libraries: LD_LIBRARY_PATH and the program's run path,
// which find_package(loupe) sets.
std::vector<fs::path> library_path() {
  void* program = dlopen(nullptr, RTLD_LAZY);
  Dl_serinfo size{};
  if (!program || dlinfo(program, RTLD_DI_SERINFOSIZE, &size) != 0) return {};
  std::vector<std::max_align_t> memory(size.dls_size / sizeof(std::max_align_t) + 1);
  auto* info = reinterpret_cast<Dl_serinfo*>(memory.data());
  if (dlinfo(program, RTLD_DI_SERINFOSIZE, info) != 0 || dlinfo(program, RTLD_DI_SERINFO, info) != 0)
    return {};
  std::vector<fs::path> folders;
  for (unsigned i = 0; i < info->dls_cnt; ++i) folders.emplace_back(info->dls_serpath[i].dls_name);
  return folders;
}

// Beside the program, in ../lib and ../lib/loupe of it, on its library path, or where the build put it.
std::string find_module(Backend b) {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const std::string name = file_name(b);
  std::vector<fs::path> folders{program, program / "../lib", program / "../lib/loupe"};
  for (fs::path& folder : library_path()) folders.push_back(std::move(folder));
  folders.insert(folders.end(), {LOUPE_MODULE_DIR, LOUPE_MODULE_INSTALL_DIR});
  for (const fs::path& folder : folders)
    if (!folder.empty() && fs::exists(folder / name, ignored))
      return (folder / name).lexically_normal().string();
  return {};
}

std::string absent(Backend b) {
  const std::string reason = missing_reason(b);
  return reason.empty() ? file_name(b) + " is not beside the program" : "not in this build: " + reason;
}

}  // namespace

std::string DeviceModule::status(Backend b) {
  const std::string path = find_module(b);
  return path.empty() ? absent(b) : path;
}

bool DeviceModule::present(Backend b) { return !find_module(b).empty(); }

DeviceModule& DeviceModule::of(Backend b, int index) {
  static std::mutex mutex;
  static std::map<std::pair<Backend, int>, std::unique_ptr<DeviceModule>> modules;
  if (b != Backend::cuda && b != Backend::sim) throw Error("only cuda and sim are modules");
  const std::scoped_lock lock(mutex);
  std::unique_ptr<DeviceModule>& module = modules[{b, index}];
  if (module) return *module;

  const std::string device = "device " + std::string(backend_name(b));
  const std::string path = find_module(b);
  if (path.empty()) throw Error(device + " is " + absent(b) + "; use --device cpu");
  module = load(b, path, index);
  return *module;
}

std::unique_ptr<DeviceModule> DeviceModule::load(Backend b, const std::string& path, int index) {
  // Never closed: device memory may outlive every owner of this reference.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) throw Error("device " + std::string(backend_name(b)) + " cannot be loaded: " + dlerror());
  using Entry = const DeviceInterface* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, "loupe_device_interface"));
  if (!entry) throw Error(path + " is not a device module of Loupe");
  const DeviceInterface* interface = entry();
  if (interface->version != kDeviceInterfaceVersion)
    throw Error(path + " belongs to another build of Loupe: interface " + std::to_string(interface->version) +
                ", expected " + std::to_string(kDeviceInterfaceVersion));
  std::unique_ptr<DeviceModule> module(new DeviceModule(b, index, interface));
  Outcome outcome{};
  interface->open(index, &outcome);
  module->check(outcome);
  return module;
}

void DeviceModule::check(const Outcome& outcome) const {
  if (outcome.kind == Outcome::fine) return;
  const std::string text = outcome.text;
  if (outcome.kind == Outcome::out_of_memory) throw DeviceOutOfMemory(text);
  if (outcome.kind == Outcome::usage) throw UsageError(text);
  throw Error(text);
}

std::string DeviceModule::describe() const {
  char text[512] = {};
  Outcome outcome{};
  interface().describe(text, sizeof text, &outcome);
  check(outcome);
  return text;
}

void DeviceModule::configure(const std::string& option, const std::string& value) const {
  Outcome outcome{};
  interface().configure(option.c_str(), value.c_str(), &outcome);
  check(outcome);
}

std::string DeviceModule::query(const std::string& what) const {
  Outcome outcome{};
  const char* text = interface().query(what.c_str(), &outcome);
  check(outcome);
  return text;
}

void* DeviceModule::allocate(int64_t bytes) const {
  Outcome outcome{};
  void* memory = interface().allocate(bytes, &outcome);
  check(outcome);
  return memory;
}

void DeviceModule::release(void* memory) const noexcept { interface().release(memory); }

DeviceModule::Memory DeviceModule::memory() const {
  Memory m{};
  Outcome outcome{};
  interface().memory(&m.free, &m.total, &outcome);
  check(outcome);
  return m;
}

void DeviceModule::upload(void* to, const void* from, int64_t bytes, void* stream) const {
  Outcome outcome{};
  interface().upload(to, from, bytes, stream, &outcome);
  check(outcome);
}

void DeviceModule::download(void* to, const void* from, int64_t bytes, void* stream) const {
  Outcome outcome{};
  interface().download(to, from, bytes, stream, &outcome);
  check(outcome);
}

void DeviceModule::synchronize(void* stream) const {
  Outcome outcome{};
  interface().synchronize(stream, &outcome);
  check(outcome);
}

std::shared_ptr<void> DeviceModule::create_stream() const {
  Outcome outcome{};
  void* stream = interface().create_stream(&outcome);
  check(outcome);
  return {stream, [c = interface_, index = index_](void* s) {
            Outcome ignored{};
            c->select(index);
            c->synchronize(s, &ignored);
            c->destroy_stream(s);
          }};
}

std::shared_ptr<void> DeviceModule::capture(void* stream, const std::function<void()>& queue) const {
  Outcome outcome{}, ignored{};
  interface().begin_capture(stream, &outcome);
  check(outcome);
  try {
    queue();
  } catch (...) {
    if (void* part = interface().end_capture(stream, &ignored)) interface().destroy_graph(part);
    throw;
  }
  void* graph = interface().end_capture(stream, &outcome);
  check(outcome);
  return {graph, [c = interface_, index = index_](void* g) {
            c->select(index);
            c->destroy_graph(g);
          }};
}

void DeviceModule::replay(const std::shared_ptr<void>& graph, void* stream) const {
  Outcome outcome{};
  interface().replay(graph.get(), stream, &outcome);
  check(outcome);
}

const ModuleFunction* DeviceModule::find(std::string_view name) const {
  for (int32_t i = 0; i < interface_->function_count; ++i)
    if (interface_->functions[i].name == name) return &interface_->functions[i];
  return nullptr;
}

bool DeviceModule::has(std::string_view function) const { return find(function) != nullptr; }

std::vector<std::string> DeviceModule::functions() const {
  std::vector<std::string> names;
  for (int32_t i = 0; i < interface_->function_count; ++i) names.emplace_back(interface_->functions[i].name);
  return names;
}

void DeviceModule::call(std::string_view function, void* stream, const void* const* arguments) const {
  const ModuleFunction* f = find(function);
  if (!f)
    throw Error("the module of device " + std::string(backend_name(backend_)) + " has no launcher '" +
                std::string(function) + "'");
  Outcome outcome{};
  interface();  // this device is selected
  f->call(stream, arguments, &outcome);
  check(outcome);
}

}  // namespace loupe
