// Convolutions and fully connected layers on the cpu backend, in the shapes of well-known networks, one
// image; and every op of a training step of the zoo's network, 64 images (what the counters say:
// support/call.h):
//
//   build/release/bin/conv2d_bench --benchmark_filter=vgg16
//   build/release/bin/conv2d_bench --benchmark_filter=zoo
#include "kernels/conv2d/conv2d.h"

#include "bench/kernels/support/call.h"
#include "kernels/batch_norm_training/batch_norm_training.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"

namespace loupe {
namespace {

struct Layer {
  std::string name;
  OpPtr op;
  Shape input;
};

void add(const Layer& layer, const std::vector<Direction>& directions, const KernelOptions& options = {}) {
  add_benches(layer.name, layer.op, {layer.input}, directions, options);
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
  if (!first) directions.push_back(Direction::vjp_input);
  const auto parameters = static_cast<int>(layer.op->parameters({&layer.input, 1}).size());
  for (int p = 1; p <= parameters; ++p)
    if (layer.op->kind().has(Backend::cpu, Direction::vjp(p))) directions.push_back(Direction::vjp(p));
  return directions;
}

Shape result_of(const OpPtr& op, const Shape& input) {
  std::vector<Shape> shapes{input};
  for (const ParameterSpec& p : op->parameters(shapes)) shapes.push_back(p.shape);
  return op->shape(shapes);
}

void add_training(const std::string& name, Shape map, const std::vector<OpPtr>& ops,
                  const KernelOptions& options = {}) {
  std::vector<Layer> layers;
  for (const OpPtr& op : ops) {
    layers.push_back({name + "/features." + std::to_string(layers.size()), op, map});
    map = result_of(op, map);
  }
  for (const Layer& layer : layers) add(layer, training_directions(layer, &layer == &layers[0]), options);
  benchmark::RegisterBenchmark(
      (name + "/step").c_str(),
      [=](benchmark::State& state) {
        std::list<BenchCall> calls;
        for (const Layer& layer : layers)
          calls.emplace_back(layer.op, std::vector{layer.input}, Direction::forward, options);
        for (size_t i = layers.size(); i-- > 0;)
          for (const Direction d : training_directions(layers[i], i == 0))
            if (!d.is_forward()) calls.emplace_back(layers[i].op, std::vector{layers[i].input}, d, options);
        run(state, calls);
      })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace

void register_benches() {
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
  add_training("zoo", {64, 3, 64, 64}, ops);
  add_training("zoo, Winograd", {64, 3, 64, 64}, ops, {.winograd = true});
  add({"zoo_fc/classifier.0", linear({.out_features = 32}), {64, 256 * 13 * 13}},
      {Direction::forward, Direction::vjp_input, Direction::vjp_weight, Direction::vjp_bias});
}

}  // namespace loupe
