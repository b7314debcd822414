// Whole networks on the cpu device, one image, formula weights:
//
//   build/release/bin/network_bench --benchmark_repetitions=9 --benchmark_report_aggregates_only=true
//
// The median of the repetitions is what counts. `GFLOP/s` counts two operations for each multiply-accumulate
// of the graph, and for the gradient those of forward and backward together.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "models/io/formula.h"
#include "models/models.h"

namespace {

using namespace loupe;

// Loading VGG-16 takes longer than timing it, so a network is kept for all benches of its name.
Network& network(const std::string& name) {
  static std::map<std::string, ImageModel> cache;
  auto found = cache.find(name);
  if (found == cache.end()) found = cache.emplace(name, models::load(name, "formula", Device::cpu())).first;
  return found->second.network;
}

int64_t total_macs(const Graph& graph) {
  int64_t sum = 0;
  for (NodeId n = 0; n < graph.size(); ++n) sum += macs(graph, n);
  return sum;
}

Tensor input(const Network& net, int64_t batch) {
  return formula_input(net.graph().input_shapes(batch).at(0));
}

void forward(benchmark::State& state, const std::string& name) {
  Network& net = network(name);
  const Tensor x = input(net, 1);
  Execution& e = net.execution(x.shape(), {.values = {net.graph().output()}});
  e.forward(x);
  for (auto _ : state) e.forward(x);
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * static_cast<double>(total_macs(net.graph())),
                                                 benchmark::Counter::kIsIterationInvariantRate);
  state.counters["arena_MiB"] = static_cast<double>(e.plan().arena_bytes()) / (1 << 20);
}

void gradient(benchmark::State& state, const std::string& name) {
  Network& net = network(name);
  const Tensor x = input(net, 1);
  const NodeId in = net.graph().inputs()[0], out = net.graph().output();
  Execution& e = net.execution(x.shape(), {.from = out, .gradients = {in}});
  const int64_t cls = 7;
  const Tensor seed = seed_channels(net.graph().node(out).shape(), {&cls, 1});
  const auto pass = [&] {
    e.forward(x);
    e.backward(seed);
  };
  pass();
  for (auto _ : state) pass();
  state.counters["GFLOP/s"] = benchmark::Counter(4e-9 * static_cast<double>(total_macs(net.graph())),
                                                 benchmark::Counter::kIsIterationInvariantRate);
  state.counters["arena_MiB"] = static_cast<double>(e.plan().arena_bytes()) / (1 << 20);
}

}  // namespace

#define LOUPE_BENCH_NETWORK(name)                                                        \
  BENCHMARK_CAPTURE(forward, name, #name)->Unit(benchmark::kMillisecond)->UseRealTime(); \
  BENCHMARK_CAPTURE(gradient, name, #name)->Unit(benchmark::kMillisecond)->UseRealTime()

LOUPE_BENCH_NETWORK(squeezenet1_1);
LOUPE_BENCH_NETWORK(mobilenet_v2);
LOUPE_BENCH_NETWORK(resnet18);
LOUPE_BENCH_NETWORK(resnet50);
LOUPE_BENCH_NETWORK(densenet121);
LOUPE_BENCH_NETWORK(vgg16);
