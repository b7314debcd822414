// The CUDA module as it was built, on a machine with or without a GPU.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kernels/class_seed/class_seed.h"
#include "kernels/common/device.h"
#include "kernels/common/op.h"
#include "tests/support/device.h"

namespace loupe::test {
namespace {

// Its interface, without opening a device. Skips where the module is not in this build.
const DeviceInterface& module() {
  const std::string path = DeviceModule::status(Backend::cuda);
  if (!path.starts_with('/')) {
    std::printf("skipped: %s\n", path.c_str());
    std::fflush(stdout);
    std::_Exit(77);
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) FAIL(dlerror());
  using Entry = const DeviceInterface* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, "loupe_device_interface"));
  REQUIRE((entry != nullptr));
  return *entry();
}

TEST_CASE("the CUDA module loads anywhere, and says in one line if there is no GPU") {
  const DeviceInterface& cuda = module();
  CHECK(cuda.version == kDeviceInterfaceVersion);
  Outcome outcome{};
  cuda.open(0, &outcome);
  if (outcome.kind == Outcome::fine) {
    CHECK(!DeviceModule::of(Backend::cuda).describe().empty());
    return;
  }
  CHECK(outcome.kind == Outcome::no_device);
  const std::string text = outcome.text;
  CHECK(text.starts_with("device cuda cannot be used: "));
  CHECK(text.find("--device cpu") != std::string::npos);
  CHECK(text.find('\n') == std::string::npos);
  CHECK_THROWS_WITH_AS(DeviceModule::of(Backend::cuda), text.c_str(), Error);
}

TEST_CASE("a launcher of the simulator is one of the CUDA module, and none is in one alone") {
  const DeviceInterface& cuda = module();
  if (!DeviceModule::status(Backend::sim).starts_with('/')) return;
  std::vector<std::string> of_cuda, of_sim = DeviceModule::of(Backend::sim).functions();
  for (int32_t i = 0; i < cuda.function_count; ++i) of_cuda.emplace_back(cuda.functions[i].name);
  std::ranges::sort(of_cuda);
  std::ranges::sort(of_sim);
  CHECK(of_cuda == of_sim);
  CHECK(std::ranges::adjacent_find(of_cuda) == of_cuda.end());
  CHECK(!of_cuda.empty());
}

TEST_CASE("options that the CUDA module does not know are usage errors") {
  const DeviceInterface& cuda = module();
  const auto refused = [&](const char* option, const char* value) {
    Outcome outcome{};
    cuda.configure(option, value, &outcome);
    CHECK(outcome.kind == Outcome::usage);
    return std::string(outcome.text);
  };
  CHECK(refused("speed", "more") == "cuda has no option 'speed'; it has arena and memory");
  CHECK(refused("arena", "mine") == "cuda's option 'arena' is keep or plain, not 'mine'");
  CHECK(refused("memory", "1G") == "cuda's option 'memory' is a number of bytes (0: all), not '1G'");
  Outcome outcome{};
  cuda.query("weather", &outcome);
  CHECK(outcome.kind == Outcome::usage);
}

// ---- on a GPU

bool on_gpu() {
  Outcome outcome{};
  module().open(0, &outcome);
  if (cuda_is_expected()) REQUIRE_MESSAGE(outcome.kind == Outcome::fine, outcome.text);
  if (outcome.kind != Outcome::fine) MESSAGE("left out: ", outcome.text);
  return outcome.kind == Outcome::fine;
}

TEST_CASE("device memory: kept blocks are handed out again, and a limit is kept") {
  if (!on_gpu()) return;
  const DeviceModule& cuda = DeviceModule::of(Backend::cuda);
  void* first = cuda.allocate(1000);
  CHECK(reinterpret_cast<uintptr_t>(first) % 256 == 0);
  cuda.release(first);
  CHECK(cuda.allocate(900) == first);  // of the same class
  cuda.release(first);
  cuda.configure("memory", std::to_string(64 << 20));
  CHECK(cuda.memory().total == 64 << 20);
  void* most = cuda.allocate(48 << 20);
  CHECK_THROWS_AS(cuda.allocate(32 << 20), DeviceOutOfMemory);
  cuda.release(most);
  void* other = cuda.allocate(60 << 20);  // what was kept is given back for it
  cuda.release(other);
  cuda.configure("memory", "0");
  CHECK_THROWS_WITH_AS(cuda.allocate(int64_t{1} << 50), doctest::Contains("MiB were asked for"),
                       DeviceOutOfMemory);
}

TEST_CASE("uploads come back, streams keep order, events time them") {
  if (!on_gpu()) return;
  const DeviceModule& cuda = DeviceModule::of(Backend::cuda);
  const DeviceInterface& c = cuda.interface();
  std::vector<int> numbers(1 << 20), back(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i * 2654435761u >> 7);
  const auto bytes = static_cast<int64_t>(numbers.size() * sizeof(int));
  void* memory = cuda.allocate(bytes);
  Outcome o{};
  void* stream = c.create_stream(&o);
  void *from = c.create_event(&o), *to = c.create_event(&o);
  c.record(from, stream, &o);
  cuda.upload(memory, numbers.data(), bytes, stream);
  c.record(to, stream, &o);
  c.wait(nullptr, to, &o);
  cuda.download(back.data(), memory, bytes);
  CHECK(c.elapsed_ms(from, to, &o) > 0);
  CHECK(o.kind == Outcome::fine);
  CHECK(back == numbers);
  for (void* event : {from, to}) c.destroy_event(event);
  c.destroy_stream(stream);
  cuda.release(memory);
}

TEST_CASE("a captured launch reads what lies there at each replay") {
  if (!on_gpu()) return;
  const DeviceModule& cuda = DeviceModule::of(Backend::cuda);
  const auto stream = cuda.create_stream();
  const auto block = [&](int64_t bytes) {
    return std::shared_ptr<void>(cuda.allocate(bytes), [&](void* p) { cuda.release(p); });
  };
  const auto scores = block(400), wanted = block(4), seed = block(400);
  const int32_t top = -1;
  cuda.upload(wanted.get(), &top, 4, stream.get());
  const auto launch = [&] {
    device::class_seed({&cuda, stream.get()}, 1, 100, static_cast<const float*>(scores.get()),
                       static_cast<const int32_t*>(wanted.get()), static_cast<float*>(seed.get()));
  };
  launch();
  const auto graph = cuda.capture(stream.get(), launch);
  for (const size_t best : {3, 70, 99}) {
    std::vector<float> numbers(100), got(100);
    numbers[best] = 1;
    cuda.upload(scores.get(), numbers.data(), 400, stream.get());
    cuda.replay(graph, stream.get());
    cuda.download(got.data(), seed.get(), 400, stream.get());
    CHECK(got == numbers);
  }
  CHECK_THROWS_AS(cuda.capture(stream.get(), [&] { cuda.synchronize(stream.get()); }), Error);
  launch();  // the stream is as good as before
  cuda.synchronize(stream.get());
}

TEST_CASE("threads of their own, and a GPU that is not there") {
  if (!on_gpu()) return;
  const DeviceModule& cuda = DeviceModule::of(Backend::cuda);
  std::string failure;
  std::thread([&] {
    try {
      cuda.release(cuda.allocate(1000));
      cuda.synchronize();
    } catch (const Error& e) {
      failure = e.what();
    }
  }).join();
  CHECK(failure.empty());
  CHECK_THROWS_WITH_AS(DeviceModule::of(Backend::cuda, 99), doctest::Contains("there is no cuda:99"), Error);
}

}  // namespace
}  // namespace loupe::test
