// Convolutions and fully connected layers on the cpu backend, in the shapes of well-known networks, one
// image; and every op of a training step of the zoo's network, 64 images:
//
//   build/release/bin/conv2d_bench --benchmark_filter=vgg16
//   build/release/bin/conv2d_bench --benchmark_filter=zoo
//
// `GFLOP/s` counts two operations for each multiply-accumulate; `of_peak` is its share of the fused
// multiply-adds that the same threads do from registers alone, measured at the start. `of_floor` is the share
// of the time that a call cannot do without: its multiply-accumulates at that peak, or every byte that it
// reads and writes once, at the speed of a copy between large arrays, whichever takes longer. Weights are
// packed beforehand, as in a plan.
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
#include <list>
#include <memory>
#include <new>

#include "kernels/batch_norm_training/batch_norm_training.h"
#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"

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

// Bytes a second that a copy reads and writes, both counted.
double copy_bandwidth() {
  static const double bandwidth = [] {
    constexpr int64_t kBytes = int64_t{1} << 27, kPiece = int64_t{1} << 16;
    const Buffer from(kBytes), to(kBytes);
    double best = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
      const auto start = std::chrono::steady_clock::now();
      parallel_for(kBytes / kPiece, [&](int64_t i) {
        std::copy_n(from.as<float>() + i * kPiece / 4, kPiece / 4, to.as<float>() + i * kPiece / 4);
      });
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      best = std::max(best, 2.0 * kBytes / seconds.count());
    }
    return best;
  }();
  return bandwidth;
}

// One direction of an op of one input, with memory of its own.
class TimedCall {
 public:
  TimedCall(const OpPtr& op, const Shape& input, Direction direction, const KernelOptions& options)
      : op_(op), shapes_{input} {
    const bool forward = direction.is_forward();
    const Needs needs = op->needs(direction);
    for (const ParameterSpec& p : op->parameters(shapes_)) shapes_.push_back(p.shape);
    call_ = op->prepare(Backend::cpu, direction, shapes_, options);
    double bytes = 0;
    for (size_t i = 0; i < shapes_.size(); ++i) {
      const bool read = forward || (needs.operands >> i & 1);
      operands_.push_back(read ? operand(static_cast<int>(i)) : Array{nullptr, Dtype::f32, shapes_[i]});
      if (read) bytes += static_cast<double>(operands_.back().bytes());
    }
    a_.direction = direction;
    a_.inputs = operands_;
    const Array y = make(Dtype::f32, op->shape(shapes_));
    (forward ? a_.output : a_.grad_output) = y;
    bytes += static_cast<double>(y.bytes());
    if (!forward) {
      const Layout layout = direction.operand > 0 ? Layout::planar : Layout::blocked;
      a_.grad = make(Dtype::f32, shapes_[static_cast<size_t>(direction.operand)], layout);
      bytes += static_cast<double>(a_.grad.bytes());
    }
    const auto record = op->record(shapes_);
    if (record && (forward || needs.record)) {
      a_.record = make(record->dtype, record->shape);
      bytes += static_cast<double>(a_.record.bytes());
    }
    memory_.emplace_back(call_.workspace);
    a_.workspace = memory_.back().span();
    macs_ = static_cast<double>(direction == Direction::vjp_bias ? 0 : op->macs(shapes_));
    bytes_ = bytes;
  }
  TimedCall(const TimedCall&) = delete;  // arguments point into it
  void operator()() const { call_.run(a_); }
  double macs() const { return macs_; }
  double floor() const { return std::max(2 * macs_ / fma_peak(), bytes_ / copy_bandwidth()); }

 private:
  Array make(Dtype dtype, const Shape& shape, Layout layout = Layout::blocked, int64_t least = 0) {
    const Array array{nullptr, dtype, shape, layout};
    memory_.emplace_back(std::max(array.bytes(), least));
    return {memory_.back().as<void>(), dtype, shape, layout};
  }
  // The input is blocked, a parameter planar, or packed.
  Array operand(int i) {
    const Shape& shape = shapes_[static_cast<size_t>(i)];
    if (i == 0) return make(Dtype::f32, shape);
    const std::vector<float> planar(static_cast<size_t>(shape.numel()), 0.01f);
    for (const Packing& p : call_.packing)
      if (p.operand == i) {
        const Array array = make(Dtype::f32, shape, Layout::planar, p.floats * 4);
        p.pack(planar.data(), array.as<float>());
        return array;
      }
    const Array array = make(Dtype::f32, shape, Layout::planar);
    std::copy(planar.begin(), planar.end(), array.as<float>());
    return array;
  }

  OpPtr op_;
  std::vector<Shape> shapes_;
  Call call_;
  std::list<Buffer> memory_;
  std::vector<Array> operands_;
  Arguments a_;
  double macs_, bytes_;
};

void run(benchmark::State& state, const std::list<TimedCall>& calls) {
  double macs = 0, floor = 0;
  for (const TimedCall& call : calls) {
    macs += call.macs();
    floor += call.floor();
    call();  // touches its memory
  }
  for (auto _ : state)
    for (const TimedCall& call : calls) call();
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * macs, rate);
  state.counters["of_peak"] = benchmark::Counter(2 * macs / fma_peak(), rate);
  state.counters["of_floor"] = benchmark::Counter(floor, rate);
}

struct Layer {
  std::string name;
  OpPtr op;
  Shape input;
  KernelOptions options = {};
};

void add(const Layer& layer, const std::vector<Direction>& directions) {
  for (const Direction direction : directions)
    benchmark::RegisterBenchmark((layer.name + "/" + layer.op->kind().direction_name(direction)).c_str(),
                                 [=](benchmark::State& state) {
                                   std::list<TimedCall> calls;
                                   calls.emplace_back(layer.op, layer.input, direction, layer.options);
                                   run(state, calls);
                                 })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
}

void add(const std::string& name, const OpPtr& op, const Shape& input) {
  add({name, op, input}, {Direction::forward, Direction::vjp_input});
}

// A square map of `channels`, then the convolution.
void add(const std::string& name, int64_t channels, int64_t size, const Conv2d& config) {
  add(name, conv2d(config), {1, channels, size, size});
}

// What a training step of `layer` runs; the first layer's input needs no gradient.
std::vector<Direction> training_directions(const Layer& layer, bool first) {
  std::vector<Direction> directions{Direction::forward};
  const auto parameters = static_cast<int>(layer.op->parameters({&layer.input, 1}).size());
  for (int i = first ? 1 : 0; i <= parameters; ++i)
    if (layer.op->kind().has(Backend::cpu, Direction::vjp(i))) directions.push_back(Direction::vjp(i));
  return directions;
}

void add_training(const std::string& name, Shape map, const std::vector<OpPtr>& ops,
                  const KernelOptions& options) {
  std::vector<Layer> layers;
  for (const OpPtr& op : ops) {
    layers.push_back({name + "/features." + std::to_string(layers.size()), op, map, options});
    std::vector<Shape> shapes{map};
    for (const ParameterSpec& p : op->parameters(shapes)) shapes.push_back(p.shape);
    map = op->shape(shapes);
  }
  for (const Layer& layer : layers) add(layer, training_directions(layer, &layer == &layers[0]));
  benchmark::RegisterBenchmark(
      (name + "/step").c_str(),
      [=](benchmark::State& state) {
        std::list<TimedCall> calls;
        for (const Layer& layer : layers)
          calls.emplace_back(layer.op, layer.input, Direction::forward, layer.options);
        for (size_t i = layers.size(); i-- > 0;)
          for (const Direction d : training_directions(layers[i], i == 0))
            if (!d.is_forward()) calls.emplace_back(layers[i].op, layers[i].input, d, layers[i].options);
        run(state, calls);
      })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
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

  std::vector<OpPtr> ops;
  const auto block = [&](int64_t channels, Pair padding) {
    ops.push_back(conv2d({.out_channels = channels, .kernel = 3, .padding = padding, .bias = false}));
    ops.push_back(batch_norm_training());
    ops.push_back(relu());
  };
  const OpPtr pool = max_pool2d({.kernel = 3, .stride = 2});
  block(32, 0);
  ops.push_back(pool);
  block(64, 0);
  ops.push_back(pool);
  block(96, 1);
  block(128, 1);
  block(256, 1);
  add_training("zoo", {64, 3, 64, 64}, ops, {});
  add_training("zoo, Winograd", {64, 3, 64, 64}, ops, {.winograd = true});
  add({"zoo_fc/classifier.0", linear({.out_features = 32}), {64, 256 * 13 * 13}},
      {Direction::forward, Direction::vjp_input, Direction::vjp_weight, Direction::vjp_bias});
  return true;
}();

}  // namespace
}  // namespace loupe
#endif
