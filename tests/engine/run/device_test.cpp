// Devices with a memory of their own, on the simulator: tensors go up and come down, memory is counted, and
// where it is short the batch shrinks without changing a bit of the result.
// ctest: LABELS sim
#include "tests/support/device.h"

#include <doctest/doctest.h>

#include <random>

#include "engine/methods/gradient.h"
#include "engine/methods/integrated_gradients.h"
#include "kernels/class_seed/class_seed.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

constexpr int64_t kSide = 32, kValues = 3 * kSide * kSide;

// (1, 3, 32, 32) → ReLUs → as many classes as values.
Network relus(Device device) {
  Graph g;
  NodeId n = g.input("input", {1, 3, kSide, kSide});
  n = g.add("leaky", leaky_relu(0.25), {n});
  n = g.add("relu", relu(), {n});
  g.add("flatten", flatten(), {n});
  return with_formula_weights(std::move(g), device);
}

Tensor images(int64_t count, Dtype dtype = Dtype::f32) {
  std::mt19937 engine(7);
  const Tensor x(Dtype::f32, {count, 3, kSide, kSide});
  for (float& v : x.values<float>()) v = static_cast<float>(engine() % 2001) / 1000 - 1;
  return x.to(dtype);
}

// Device memory for a while.
class Capacity {
 public:
  explicit Capacity(int64_t bytes) { set(bytes); }
  ~Capacity() { set(standard_); }
  Capacity(const Capacity&) = delete;
  Capacity& operator=(const Capacity&) = delete;

 private:
  static const DeviceModule& sim() { return DeviceModule::of(Backend::sim); }
  static void set(int64_t bytes) { sim().configure("memory", std::to_string(bytes)); }
  int64_t standard_ = sim().memory().total;
};

int64_t arena_of(Network& net, int64_t batch) {
  const NodeId scores = net.graph().output();
  return Plan(net.graph(), net.graph().input_shapes(batch), net.device().backend,
              {.values = {scores}, .from = scores, .gradients = {net.graph().inputs()[0]}})
      .arena_bytes();
}

TEST_CASE("names of devices") {
  CHECK(Device::parse("cuda:1") == Device{Backend::cuda, 1});
  CHECK(Device::parse("cuda:1").str() == "cuda:1");
  CHECK(Device::parse("cuda:0") == Device::cuda());
  for (const char* bad : {"cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cpu:0", "sim:1", ":1", "cuda:99999"})
    CHECK(usage_error([&] { Device::parse(bad); }).find("unknown device") != std::string::npos);
  for (const Backend b : kBackends) CHECK(Device::parse(std::string(backend_name(b))).backend == b);
  CHECK(usage_error([] { Device::parse("gpu"); }).find("one of cpu, cuda") != std::string::npos);
  CHECK((Device::best() == Device::cpu() || Device::best() == Device::cuda()));
}

TEST_CASE("values, gradients and records come down as ref has them, whatever type went up") {
  skip_without(Backend::sim);
  Network sim = relus(Device::sim()), ref = relus(Device::ref());
  const NodeId input = ref.graph().inputs()[0], relu = ref.graph().find("relu"),
               scores = ref.graph().output();
  const Purpose purpose{
      .values = {input, relu, scores}, .from = scores, .gradients = {input, relu}, .records = {relu}};
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = images(3, dtype);
    Execution &a = sim.execution(x.shape(), purpose), &b = ref.execution(x.shape(), purpose);
    a.forward(x);
    b.forward(x);
    for (const Port& n : purpose.values) CHECK(same_bits(a.value(n), b.value(n).to(Dtype::f32)));
    CHECK(same_bits(a.record(relu), b.record(relu)));
    const Tensor mask = a.record(relu);  // another run's mask
    for (uint8_t& v : mask.values<uint8_t>()) v ^= 1;
    a.set_record(relu, mask);
    b.set_record(relu, mask);
    CHECK(same_bits(a.record(relu), mask));
    // What goes up waits for the kernels that were queued before.
    a.forward(x);
    b.forward(x);
    a.set_record(relu, mask);
    b.set_record(relu, mask);
    CHECK(same_bits(a.record(relu), mask));
    const Tensor seed = seed_channels({3, kValues}, std::vector<int64_t>{1, 70, kValues - 1});
    a.backward(seed);
    b.backward(seed);
    for (const NodeId n : purpose.gradients) CHECK(same_bits(a.gradient(n), b.gradient(n).to(Dtype::f32)));
  }
}

TEST_CASE("device memory is counted apart from the host's, and given back") {
  skip_without(Backend::sim);
  const DeviceModule& module = DeviceModule::of(Backend::sim);
  const int64_t before = memory_count(Device::sim()).now, free = module.memory().free;
  {
    const auto storage = Storage::allocate(1000, Device::sim());
    CHECK(storage->device() == Device::sim());
    CHECK(memory_count(Device::sim()).now == before + 1000);
    CHECK(module.memory().free == free - 1000);

    Network net = relus(Device::sim());
    reset_memory_peak();
    net.logits(images(2));
    const Plan plan(net.graph(), net.graph().input_shapes(2), Backend::sim,
                    {.values = {net.graph().output()}});
    CHECK(memory_count(Device::sim()).peak == before + 1000 + plan.arena_bytes());
  }
  CHECK(memory_count(Device::sim()).now == before);
  CHECK(module.memory().free == free);
}

TEST_CASE("where device memory is short the batch shrinks, and the result is the same to the bit") {
  skip_without(Backend::sim);
  const Tensor x = images(2);
  const IntegratedGradientsOptions options{.target = 5, .steps = 16};
  const IntegratedGradientsResult whole = [&] {
    Network roomy = relus(Device::sim());
    return integrated_gradients(roomy, x, options);
  }();

  for (const int64_t batch : {1, 3, 8}) {
    Network net = relus(Device::sim());
    const NodeId scores = net.graph().output(), input = net.graph().inputs()[0];
    const Capacity little(arena_of(net, batch) / 7 * 8 + 1024);  // an eighth stays free
    const int64_t chosen =
        net.batch_for({1, 3, kSide, kSide}, 16, {.values = {scores}, .from = scores, .gradients = {input}});
    CHECK(chosen <= batch);
    CHECK(chosen * 2 > batch);
    const IntegratedGradientsResult r = integrated_gradients(net, x, options);
    CHECK(same_bits(r.attribution, whole.attribution));
    CHECK(r.residuals == whole.residuals);
    // What the limit allows and the device does not have is no error either.
    net.memory_limit = arena_of(net, 16);
    CHECK(same_bits(integrated_gradients(net, x, options).attribution, whole.attribution));
  }
}

TEST_CASE("a long job runs in the largest batch that fits, or in equal parts, and says its batch") {
  skip_without(Backend::sim);
  const Tensor x = images(1);
  const auto batch_of = [&](Network& net, int64_t steps) {
    integrated_gradients(net, x, {.target = 5, .steps = steps});
    return net.last_batch();
  };
  Network roomy = relus(Device::sim()), limited = relus(Device::sim()), cpu = relus(Device::cpu());
  CHECK(batch_of(roomy, 64) == 64);  // a CPU's caches hold less
  CHECK(batch_of(cpu, 64) < 64);
  limited.memory_limit = arena_of(limited, 16);
  CHECK(batch_of(limited, 64) == 16);
  CHECK(batch_of(limited, 17) <= 9);  // 9 and 8, not 16 and 1
}

TEST_CASE("a pass that runs again is replayed as a graph, with the same bits") {
  skip_without(Backend::sim);
  Network plain = relus(Device::sim()), net = relus(Device::sim());
  plain.capture = false;
  const NodeId input = net.graph().inputs()[0], scores = net.graph().output();
  const Purpose purpose{.values = {scores}, .from = scores, .gradients = {input}};
  for (int run = 0; run < 4; ++run) {
    CAPTURE(run);
    const Tensor x = images(3), other = images(3 + run).slice(run, 3 + run);
    const std::vector<int32_t> classes{-1, run, static_cast<int32_t>(kValues) - 1};
    Execution &a = net.execution(x.shape(), purpose), &b = plain.execution(x.shape(), purpose);
    a.forward_and_back({other}, classes);
    const int64_t best = class_of(a.value(scores).values<const float>().data(), kValues, -1);
    b.forward(other);
    b.backward(seed_channels({3, kValues}, std::vector<int64_t>{best, run, kValues - 1}));
    CHECK(same_bits(a.value(scores), b.value(scores)));
    CHECK(same_bits(a.gradient(input), b.gradient(input)));
    CHECK(net.replays() == run);  // the first run makes ready, the second is captured
    CHECK(plain.replays() == 0);
  }
  // Halves of a pass, and another execution that needs a larger arena: what was captured points at the old one.
  Execution& a = net.execution(images(3).shape(), purpose);
  const int64_t before = net.replays();
  net.logits(images(200));
  a.forward_and_back({images(3)}, std::vector<int32_t>{7, 7, 7});
  CHECK(net.replays() == before);
  CHECK(same_bits(a.gradient(input), gradient(plain, images(3), {.target = 7})));
  CHECK_THROWS_AS(a.forward_and_back({images(3)}, std::vector<int32_t>{7, 7}), UsageError);
  CHECK_THROWS_AS(a.forward_and_back({images(3)}, std::vector<int32_t>{7, 7, kValues}), UsageError);
}

TEST_CASE(
    "too little device memory for one image, or for the caller's own batch, is one line with the sizes") {
  skip_without(Backend::sim);
  const auto complaint = [](const auto& attempt) {
    try {
      attempt();
    } catch (const DeviceOutOfMemory& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  Network net = relus(Device::sim());
  {
    const Capacity little(1000);
    const std::string one = complaint([&] { gradient(net, images(1)); });
    CHECK(one ==
          "the activations of one image need 1 MiB, but device sim has 0 MiB free of 1 MiB: use smaller "
          "images or --device cpu");
  }
  {
    const Capacity little(int64_t{5} << 20);
    const std::string many = complaint([&] { net.logits(images(900)); });
    CHECK(many ==
          "the activations of 900 images need 11 MiB, but device sim has 5 MiB free of 5 MiB: use a smaller "
          "batch");
    CHECK(net.logits(images(100)).shape() == Shape{100, kValues});  // the network is as good as before
  }
}

TEST_CASE("an arena that another pass took is given back before memory counts as short") {
  skip_without(Backend::sim);
  Network net = relus(Device::sim());
  const Purpose forward{.values = {net.graph().output()}};
  const Tensor x = images(64);
  const Capacity capacity(
      Plan(net.graph(), net.graph().input_shapes(64), Backend::sim, forward).arena_bytes());
  Execution& large = net.execution(x.shape(), forward);
  large.forward(x);
  const Tensor all = large.value(net.graph().output());
  const Tensor map = gradient(net, x, {.target = 3});  // needs more for each image
  CHECK(map.shape() == x.shape());
  CHECK_THROWS_AS(large.value(net.graph().output()), Error);
  CHECK(same_bits(net.logits(x), all));
}

}  // namespace
}  // namespace loupe::test
