// gpu_methods: images a second of each method on whole networks with formula weights; one line of JSON each.
//
//   build/release/bin/gpu_methods [--device D] [--quick] [--seconds S] [--networks a,b]
//
// A batch of images is explained as a whole, in the largest batch that fits where a method needs many passes;
// `pass_batch` says how many images or rows a pass then held. The time is from pixels on the host to maps on
// the host, the median of several runs after one that makes plans and weights. With --seconds, what was not
// begun after so many is named in a last line, {"left_out": […]}. bench/peers/methods.py prints the same lines
// for PyTorch.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "bench/gpu/deadline.h"
#include "models/loupe.h"

namespace loupe::bench {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Method {
  const char* name;
  int64_t
      passes;  // forward passes of one image; there are about as many backward, but for occlusion and forward
  std::function<void(ImageModel&, const Tensor&)> run;
};

// The options are those of bench/peers/methods.py.
const std::vector<Method>& methods() {
  static const std::vector<Method> all{
      {"forward", 1, [](ImageModel& n, const Tensor& x) { n.logits(x); }},
      {"gradient", 1, [](ImageModel& n, const Tensor& x) { gradient(n, x, {.target = 0}); }},
      {"input_x_gradient", 1, [](ImageModel& n, const Tensor& x) { input_x_gradient(n, x, {.target = 0}); }},
      {"guided_backprop", 1, [](ImageModel& n, const Tensor& x) { guided_backprop(n, x, {.target = 0}); }},
      {"deconvnet", 1, [](ImageModel& n, const Tensor& x) { deconvnet(n, x, {.target = 0}); }},
      {"grad_cam", 1, [](ImageModel& n, const Tensor& x) { grad_cam(n, x, {.target = 0}); }},
      {"integrated_gradients", 50,
       [](ImageModel& n, const Tensor& x) { integrated_gradients(n, x, {.target = 0, .steps = 50}); }},
      {"occlusion", 49,
       [](ImageModel& n, const Tensor& x) { occlusion(n, x, {.target = 0, .window = 32, .stride = 32}); }},
  };
  return all;
}

// Up to `runs` runs after two, of which the second may be recorded; fewer where they take long.
double median_seconds(const std::function<void()>& work, size_t runs) {
  const auto now = [] { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); };
  work();
  work();
  std::vector<double> seconds;
  const double begin = now();
  while (seconds.size() < 2 || (seconds.size() < runs && now() - begin < 0.7)) {
    const double start = now();
    work();
    seconds.push_back(now() - start);
  }
  std::ranges::sort(seconds);
  return (seconds[(seconds.size() - 1) / 2] + seconds[seconds.size() / 2]) / 2;
}

void print(const Json& row) {
  std::puts(row.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

struct Settings {
  Device device = Device::cpu();
  bool quick = false;
  std::vector<std::string> networks;
  int64_t size = 224;
  bool small() const { return size < 224; }
};

Json measured(const Settings& s, ImageModel& net, const Method& m, Json row) {
  const int64_t batch = s.small() ? 1 : m.passes > 1 ? (s.quick ? 1 : 4) : (s.quick ? 16 : 64);
  row["batch"] = batch;
  try {
    const Tensor x = formula_input(net.graph().input_shapes(batch).at(0));
    reset_memory_peak();
    const double seconds = median_seconds([&] { m.run(net, x); }, s.quick || s.small() ? 3 : 7);
    row["ms"] = 1e3 * seconds;
    row["images_per_s"] = static_cast<double>(batch) / seconds;
    row["pass_batch"] = net.network.last_batch();
    row["peak_mib"] = static_cast<double>(memory_count(s.device).peak) / (1 << 20);
  } catch (const std::exception& e) {
    row["error"] = e.what();
  }
  return row;
}

void run(const Settings& s, const std::string& engine, const KernelOptions& kernels, Deadline& deadline) {
  for (const std::string& name : s.networks) {
    std::optional<ImageModel> net;
    for (const Method& m : methods()) {
      if (!deadline.allows(engine + ", " + name + " " + m.name)) continue;
      if (!net)
        net.emplace(models::load(name, "formula", s.device, {.height = s.size, .width = s.size}, kernels));
      print(measured(s, *net, m, {{"engine", engine}, {"network", name}, {"method", m.name}}));
    }
  }
}

// On a GPU once more with convolutions by cuDNN, where it is there.
void run_all(const Settings& s, Deadline& deadline) {
  const std::string engine = "Loupe, " + s.device.str();
  run(s, engine, {}, deadline);
  if (s.device.backend == Backend::cuda) {
    try {
      s.device.module()->query("cudnn");
      run(s, engine + ", convolutions by cuDNN", {.library_convolution = true}, deadline);
    } catch (const Error& e) {
      std::printf("%s\n", e.what());
    }
  }
  if (deadline.cut()) print(deadline.row());
}

}  // namespace
}  // namespace loupe::bench

int main(int argc, char** argv) {
  std::string device = "cuda", networks = "squeezenet1_1,resnet50,vgg16";
  loupe::bench::Settings s;
  double seconds = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i], next = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--quick")
      s.quick = true;
    else if (word == "--device" && ++i < argc)
      device = next;
    else if (word == "--networks" && ++i < argc)
      networks = next;
    else if (word == "--size" && ++i < argc)
      s.size = std::max(1, std::atoi(next.c_str()));
    else if (word == "--seconds" && ++i < argc && loupe::bench::seconds_of(next) > 0)
      seconds = loupe::bench::seconds_of(next);
    else {
      std::fprintf(
          stderr,
          "usage: gpu_methods [--device D] [--quick] [--seconds S] [--networks a,b] [--size PIXELS]\n");
      return 2;
    }
  }
  std::istringstream list(networks);
  for (std::string name; std::getline(list, name, ',');) s.networks.push_back(name);
  try {
    loupe::bench::Deadline deadline(seconds);
    s.device = loupe::Device::parse(device);
    loupe::bench::run_all(s, deadline);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_methods: %s\n", e.what());
    return 1;
  }
  return 0;
}
