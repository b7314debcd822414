// Convolutions and fully connected layers on the cpu backend, in the shapes of well-known networks, one
// image:
//
//   build/release/bin/conv2d_bench --benchmark_filter=vgg16
//
// `GFLOP/s` counts two operations for each multiply-accumulate; `of_peak` is its share of the fused
// multiply-adds that the same threads do from registers alone, measured at the start. Weights are packed
// beforehand, as in a plan.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/kernels/conv2d_bench.cpp"
#include "hwy/foreach_target.h"  // compiles the peak's loop once for each instruction set
#include "hwy/highway.h"
#include "kernels/common/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

// Independent sums: enough to hide the latency of an addition, few enough for the registers.
constexpr int kSums = kVectors == 1 ? 14 : kVectors == 2 ? 6 : 2;

// `rounds` · kSums · 16 multiply-accumulates.
float Multiply(int64_t rounds) {
  Block sum[kSums];
  const Block factor = fill(0.5f), term = fill(1.0f);
#pragma GCC unroll 16
  for (int i = 0; i < kSums; ++i) sum[i] = fill(static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sum[i] = fma(sum[i], factor, term);
  Block total = sum[0];
  for (int i = 1; i < kSums; ++i) total = add(total, sum[i]);
  float lanes[kBlock];
  store(total, lanes);
  return lanes[0];
}
int64_t SumsOfMultiply() { return kSums; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/linear/linear.h"

namespace loupe {
HWY_EXPORT(Multiply);
HWY_EXPORT(SumsOfMultiply);

namespace {

// Operations a second of all threads together: the best of a few short runs.
double fma_peak() {
  static const double peak = [] {
    constexpr int64_t kRounds = 2'000'000;
    double best = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
      const auto start = std::chrono::steady_clock::now();
      parallel_for(max_threads(),
                   [](int64_t) { benchmark::DoNotOptimize(HWY_DYNAMIC_DISPATCH(Multiply)(kRounds)); });
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      const int64_t macs = kRounds * HWY_DYNAMIC_DISPATCH(SumsOfMultiply)() * kBlock * max_threads();
      best = std::max(best, 2.0 * static_cast<double>(macs) / seconds.count());
    }
    return best;
  }();
  return peak;
}

// Memory aligned to a cache line, as a plan's arena is.
class Buffer {
 public:
  explicit Buffer(int64_t bytes)
      : bytes_(static_cast<size_t>(round_up(bytes, 64))),
        data_(static_cast<std::byte*>(::operator new(bytes_, std::align_val_t(64)))) {
    std::fill_n(data_.get(), bytes_, std::byte(0));
  }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }
  std::span<std::byte> span() const { return {data_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  size_t bytes_;
  std::unique_ptr<std::byte, Free> data_;
};

void run(benchmark::State& state, const OpPtr& op, const Shape& input, Direction direction) {
  const Op::Shapes inputs{&input, 1};
  const Shape output = op->infer(inputs);
  const Buffer x(array_bytes(Dtype::f32, input, Layout::blocked)),
      y(array_bytes(Dtype::f32, output, Layout::blocked));
  const Buffer workspace(op->workspace_bytes(Backend::cpu, direction, inputs));
  const Array x_array{x.as<float>(), Dtype::f32, input, Layout::blocked};
  const Array y_array{y.as<float>(), Dtype::f32, output, Layout::blocked};

  std::vector<Buffer> packed;
  std::vector<Array> parameters;
  for (size_t p = 0; const ParameterSpec& spec : op->parameters(inputs)) {
    const std::vector<float> planar(static_cast<size_t>(spec.shape.numel()), 0.01f);
    packed.emplace_back(op->packed_size(Backend::cpu, direction, inputs, p) * int64_t{sizeof(float)});
    if (!packed.back().span().empty())
      op->pack(Backend::cpu, direction, inputs, p, planar.data(), packed.back().as<float>());
    parameters.push_back({packed.back().as<float>(), Dtype::f32, spec.shape, Layout::planar});
    ++p;
  }

  Arguments arguments;
  arguments.inputs = {&x_array, 1};
  arguments.parameters = parameters;
  arguments.output = arguments.grad_output = y_array;
  arguments.grad = x_array;
  arguments.workspace = workspace.span();
  const Kernel kernel = op->kind().kernel(Backend::cpu, direction);
  for (auto _ : state) kernel(*op, arguments);

  const double operations = 2.0 * static_cast<double>(op->macs(inputs));
  state.counters["GFLOP/s"] =
      benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] =
      benchmark::Counter(operations / fma_peak(), benchmark::Counter::kIsIterationInvariantRate);
}

void add(const std::string& name, const OpPtr& op, const Shape& input) {
  for (const Direction direction : {Direction::forward, Direction::vjp_input})
    benchmark::RegisterBenchmark((name + "/" + std::string(direction_name(direction))).c_str(),
                                 [=](benchmark::State& state) { run(state, op, input, direction); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
}

// A square map of `channels`, then the convolution.
void add(const std::string& name, int64_t channels, int64_t size, const Conv2d& config) {
  add(name, conv2d(config), {1, channels, size, size});
}

const bool registered = [] {
  add("squeezenet1_1/features.0", 3, 224, {.out_channels = 64, .kernel = 3, .stride = 2});
  add("squeezenet1_1/features.3.squeeze", 64, 55, {.out_channels = 16, .kernel = 1});
  add("squeezenet1_1/features.3.expand1x1", 16, 55, {.out_channels = 64, .kernel = 1});
  add("squeezenet1_1/features.3.expand3x3", 16, 55, {.out_channels = 64, .kernel = 3, .padding = 1});
  add("squeezenet1_1/features.6.expand3x3", 32, 27, {.out_channels = 128, .kernel = 3, .padding = 1});
  add("squeezenet1_1/features.12.expand3x3", 64, 13, {.out_channels = 256, .kernel = 3, .padding = 1});
  add("squeezenet1_1/classifier.1", 512, 13, {.out_channels = 1000, .kernel = 1});

  add("resnet50/conv1", 3, 224, {.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3});
  add("resnet50/layer1.0.conv3", 64, 56, {.out_channels = 256, .kernel = 1});
  add("resnet50/layer1.1.conv1", 256, 56, {.out_channels = 64, .kernel = 1});
  add("resnet50/layer2.0.conv2", 128, 56, {.out_channels = 128, .kernel = 3, .stride = 2, .padding = 1});
  add("resnet50/layer3.0.downsample.0", 512, 28, {.out_channels = 1024, .kernel = 1, .stride = 2});
  add("resnet50/layer3.1.conv2", 256, 14, {.out_channels = 256, .kernel = 3, .padding = 1});
  add("resnet50/layer4.1.conv2", 512, 7, {.out_channels = 512, .kernel = 3, .padding = 1});
  add("resnet50/layer4.1.conv3", 512, 7, {.out_channels = 2048, .kernel = 1});
  add("resnet50/fc", linear({.out_features = 1000}), {1, 2048});

  add("vgg16/features.0", 3, 224, {.out_channels = 64, .kernel = 3, .padding = 1});
  add("vgg16/features.2", 64, 224, {.out_channels = 64, .kernel = 3, .padding = 1});
  add("vgg16/features.7", 128, 112, {.out_channels = 128, .kernel = 3, .padding = 1});
  add("vgg16/features.12", 256, 56, {.out_channels = 256, .kernel = 3, .padding = 1});
  add("vgg16/features.19", 512, 28, {.out_channels = 512, .kernel = 3, .padding = 1});
  add("vgg16/features.26", 512, 14, {.out_channels = 512, .kernel = 3, .padding = 1});
  add("vgg16/classifier.0", linear({.out_features = 4096}), {1, 25088});
  add("vgg16/classifier.3, 16 images", linear({.out_features = 4096}), {16, 4096});

  add("mobilenet_v2/features.1.conv.0", 32, 112,
      {.out_channels = 32, .kernel = 3, .padding = 1, .groups = 32});
  add("mobilenet_v2/features.4.conv.1", 144, 56,
      {.out_channels = 144, .kernel = 3, .stride = 2, .padding = 1, .groups = 144});
  add("mobilenet_v2/features.12.conv.1", 576, 14,
      {.out_channels = 576, .kernel = 3, .padding = 1, .groups = 576});
  return true;
}();

}  // namespace
}  // namespace loupe
#endif
