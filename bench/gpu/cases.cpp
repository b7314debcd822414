#include "bench/gpu/cases.h"

#include <algorithm>

#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/attention/attention.h"
#include "kernels/attention_statistics/attention_statistics.h"
#include "kernels/avg_pool2d/avg_pool2d.h"
#include "kernels/batch_norm_training/batch_norm_training.h"
#include "kernels/concat/concat.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/dropout/dropout.h"
#include "kernels/edit/edit.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/embedding/embedding.h"
#include "kernels/expand/expand.h"
#include "kernels/flatten/flatten.h"
#include "kernels/gather/gather.h"
#include "kernels/group_norm/group_norm.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/linear/linear.h"
#include "kernels/lrn/lrn.h"
#include "kernels/matmul/matmul.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/max_route2d/max_route2d.h"
#include "kernels/max_unpool2d/max_unpool2d.h"
#include "kernels/pad/pad.h"
#include "kernels/patch/patch.h"
#include "kernels/position_embedding/position_embedding.h"
#include "kernels/quotient/quotient.h"
#include "kernels/reduce/reduce.h"
#include "kernels/relayout/relayout.h"
#include "kernels/reshape/reshape.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/rotary/rotary.h"
#include "kernels/secant_max_pool2d/secant_max_pool2d.h"
#include "kernels/secant_relu/secant_relu.h"
#include "kernels/slice/slice.h"
#include "kernels/softmax/softmax.h"
#include "kernels/stable_div/stable_div.h"
#include "kernels/token_loss/token_loss.h"
#include "kernels/transpose/transpose.h"
#include "kernels/upsample/upsample.h"

namespace loupe::bench {

namespace {

// `batch` images; the other sizes divided by `divisor`.
class Cases {
 public:
  Cases(int64_t batch, int64_t divisor) : batch_(batch), divisor_(divisor) {}

  void convolutions();
  void elementwise();
  void maps_and_vectors();
  void tokens();
  std::vector<KernelCase> list;

 private:
  int64_t part(int64_t size) const { return std::max<int64_t>(1, size / divisor_); }
  Shape maps(int64_t channels, int64_t side) const {
    return {batch_, part(channels), part(side), part(side)};
  }
  void add(std::string name, OpPtr op, std::vector<Shape> inputs, std::vector<Dtype> types = {}) {
    list.push_back({std::move(name), std::move(op), std::move(inputs), std::move(types)});
  }

  int64_t batch_, divisor_;
};

void Cases::convolutions() {
  // Without a bias, as a library computes them: ours adds one in passing, a library in a pass of its own.
  bool with_bias = false;
  const auto conv = [&](const char* name, int64_t channels, int64_t side, Conv2d c) {
    const Shape x = maps(channels, side);
    c.out_channels = part(c.out_channels);
    c.groups = c.groups > 1 ? x[1] : 1;  // all or none here
    c.bias = with_bias;
    add(name, conv2d(c), {x});
  };
  conv("vgg16/features.12", 256, 56, {.out_channels = 256, .kernel = 3, .padding = 1});
  conv("vgg16/features.0", 3 * divisor_, 224, {.out_channels = 64, .kernel = 3, .padding = 1});
  conv("vgg16/features.2", 64, 224, {.out_channels = 64, .kernel = 3, .padding = 1});
  conv("vgg16/features.26", 512, 14, {.out_channels = 512, .kernel = 3, .padding = 1});
  conv("resnet50/conv1", 3 * divisor_, 224, {.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3});
  conv("resnet50/layer1.0.conv3", 64, 56, {.out_channels = 256, .kernel = 1});
  conv("resnet50/layer2.0.conv2", 128, 56, {.out_channels = 128, .kernel = 3, .stride = 2, .padding = 1});
  conv("resnet50/layer3.1.conv2", 256, 14, {.out_channels = 256, .kernel = 3, .padding = 1});
  conv("resnet50/layer4.1.conv3", 512, 7, {.out_channels = 2048, .kernel = 1});
  conv("squeezenet1_1/features.3.squeeze", 64, 55, {.out_channels = 16, .kernel = 1});
  conv("squeezenet1_1/features.3.expand3x3", 16, 55, {.out_channels = 64, .kernel = 3, .padding = 1});
  conv("mobilenet_v2/features.4.conv.1, depthwise", 144, 56,
       {.out_channels = 144, .kernel = 3, .stride = 2, .padding = 1, .groups = 144});
  with_bias = true;
  conv("vgg16/features.2, with its bias", 64, 224, {.out_channels = 64, .kernel = 3, .padding = 1});
  add("2×2, stride 2, as in a U-Net",
      conv_transpose2d({.out_channels = part(64), .kernel = 2, .stride = 2, .bias = false}), {maps(128, 56)});
  add("2×2, stride 2, with a bias", conv_transpose2d({.out_channels = part(64), .kernel = 2, .stride = 2}),
      {maps(128, 56)});
  const auto dense = [&](const char* name, int64_t in, int64_t out, bool bias = false) {
    add(name, linear({.out_features = part(out), .bias = bias}), {{batch_, part(in)}});
  };
  dense("vgg16/classifier.0", 25088, 4096);
  dense("vgg16/classifier.3", 4096, 4096);
  dense("resnet50/fc", 2048, 1000);
  dense("resnet50/fc, with its bias", 2048, 1000, true);
}

void Cases::elementwise() {
  const Shape large = maps(64, 112);
  for (const FunctionInfo& f : all_functions()) add("64 maps", function_op(f.name), {large});
  add("resnet50/layer1", loupe::add(), {maps(256, 56), maps(256, 56)});
  add("squeeze and excitation", mul(), {large, maps(64, 1)});
  for (const OpPtr& op : {sub(), div(), maximum(), minimum(), less(), less_or_equal(), equal(), keep()})
    add("64 maps", op, {large, large});
  add("64 maps", stable_div(1e-6), {large, large});
  add("64 maps", secant_relu(), {large, large});
  add("64 maps", quotient(1e-10), {large, large, large});
  add("64 maps, scaled", edit_op(EditKind::scale), {large, large, large},
      {Dtype::f32, Dtype::u8, Dtype::f32});
}

void Cases::maps_and_vectors() {
  const Shape large = maps(64, 112);
  add("resnet50, first block", batch_norm(), {large});
  add("resnet50, first block", batch_norm_training(), {large});
  add("squeezenet1_1/features.3", concat(), {maps(64, 55), maps(64, 55)});
  add("alexnet, after conv1", lrn({.size = 5}), {maps(64, 55)});
  add("resnet50/maxpool", max_pool2d({.kernel = 3, .stride = 2, .padding = 1}), {large});
  add("vgg16/features.4", max_pool2d({.kernel = 2}), {maps(64, 224)});
  const Pooling overlapping{3, 2, 1};
  const Shape halved = large.with(2, (large[2] + 1) / 2).with(3, (large[3] + 1) / 2);
  add("resnet50/maxpool, a rule's", max_route2d({overlapping, 30}), {halved, large});
  add("resnet50/maxpool, a rule's", secant_max_pool2d(overlapping), {halved, large});
  add("windows of resnet50's first block", patch({34, 34}), {maps(64, 32), large.with(0, 1), {batch_, 1, 4}},
      {Dtype::f32, Dtype::f32, Dtype::i32});
  const Shape pooled = maps(64, 112);
  add("vgg16/features.4, undone", max_unpool2d({.kernel = 2, .output = {2 * pooled[2], 2 * pooled[3]}}),
      {pooled, pooled}, {Dtype::f32, Dtype::u8});
  add("densenet121, transition", avg_pool2d({.kernel = 2}), {maps(128, 56)});
  add("resnet50/avgpool", adaptive_avg_pool2d(1), {maps(2048, 7)});
  add("1000 classes", softmax(), {{8 * batch_, 1000}});
  add("1000 classes", log_softmax(), {{8 * batch_, 1000}});
  add("a loss of 1000 classes", cross_entropy(), {{8 * batch_, 1000}, {8 * batch_, 1000}});
  add("alexnet/classifier.0", dropout(0.5), {{batch_, part(9216)}});
  add("alexnet, before the classifier", flatten(), {maps(256, 6)});
  add("a decoder's maps", upsample({.scale = 2, .mode = Upsample::Mode::bilinear}), {maps(64, 56)});
  add("64 maps", pad({.sides = {{2, 1, 1}, {3, 1, 1}}}), {large});
  add("64 maps", relayout(), {large});
}

void Cases::tokens() {
  const Shape large = maps(64, 112);
  const Shape tokens{batch_, part(197), part(768)}, queries{batch_, part(12), part(197), part(64)};
  add("vit_b_16, scores of 12 heads", matmul({.transpose_b = true}), {queries, queries});
  add("vit_b_16/mlp.0", linear({.out_features = part(3072), .bias = false}), {tokens});
  add("vit_b_16/ln_1", layer_norm({.eps = 1e-6}), {tokens});
  add("convnext_tiny/features.1", layer_norm({.channels = true, .eps = 1e-6}), {maps(96, 56)});
  add("tokens of vit_b_16", rms_norm(), {tokens});
  add("resnet50, first block, 1 group", group_norm({.groups = 1}), {large});
  add("mean of the tokens of vit_b_16", reduce({.kind = Reduce::Kind::mean, .axes = {1}}), {tokens});
  add("largest of maps", reduce({.kind = Reduce::Kind::max, .axes = {2, 3}}), {large});
  add("vit_b_16, 12 heads", attention({.heads = 12}), {tokens, tokens, tokens});
  add("gpt2, tokens", embedding({.count = part(50257), .width = part(768)}), {{batch_, part(197)}},
      {Dtype::i32});
  add("smollm2, queries", rotary({.width = std::max<int64_t>(2, part(64)), .base = 1e5}),
      {{batch_, part(197), 12 * std::max<int64_t>(2, part(64))}});
  add("gpt2, positions", position_embedding({.count = 1024, .width = part(768)}), {{batch_, part(197)}},
      {Dtype::i32});
  add("smollm2, what heads look at", attention_statistics({.heads = 12, .causal = true}),
      {tokens, tokens, {batch_, part(197)}}, {Dtype::f32, Dtype::f32, Dtype::i32});
  add("gpt2, next tokens", token_loss(), {{batch_, part(197), part(50257)}, {batch_, part(197)}},
      {Dtype::f32, Dtype::i32});
  add("vit_b_16, the class token", expand(), {{1, 1, part(768)}, tokens});
  add("some tokens of vit_b_16", gather(1), {tokens, {part(98)}}, {Dtype::f32, Dtype::i32});
  add("vit_b_16, heads", reshape({0, 0, -1, std::max<int64_t>(1, part(64))}), {tokens});
  add("vit_b_16, heads", transpose({0, 2, 1, 3}), {{batch_, part(197), part(12), part(64)}});
  add("vit_b_16, all but the class token", slice({.axis = 1, .begin = 1}), {tokens});
}

}  // namespace

std::vector<KernelCase> kernel_cases(int64_t batch, int64_t divisor) {
  Cases cases(batch, divisor);
  cases.convolutions();
  cases.elementwise();
  cases.maps_and_vectors();
  cases.tokens();
  for (KernelCase& c : cases.list)
    c.ladder = c.name == "vgg16/features.12" || c.name == "vgg16/features.4" || c.name == "1000 classes";
  return cases.list;
}

}  // namespace loupe::bench
