// What is computed again where it can have changed has the bits of the whole.
// ctest: LABELS big
#include "engine/plan/windows.h"

#include <doctest/doctest.h>

#include <cstring>

#include "engine/run/windows.h"
#include "kernels/common/draws.h"
#include "models/io/formula.h"
#include "models/loupe.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

// Squares of `window` pixels, `stride` apart, cut at the far edges.
std::vector<Rect> squares(int64_t height, int64_t width, int64_t window, int64_t stride) {
  std::vector<Rect> all;
  for (int64_t y = 0; y < height; y += stride)
    for (int64_t x = 0; x < width; x += stride)
      all.push_back({y, x, std::min(window, height - y), std::min(window, width - x)});
  return all;
}

// Noise of its own in each place.
Tensor noise(const Tensor& x, const Rect& r, int64_t i) {
  const Shape s{x.shape()[1], r.h, r.w};
  std::vector<double> u(static_cast<size_t>(s.numel()));
  Draws().uniforms("windows_test." + std::to_string(i), u);
  for (double& v : u) v = 4 * v - 2;
  return Tensor::from(std::span<const double>(u), s).to(x.dtype());
}

Tensor with(const Tensor& x, const Rect& r, const Tensor& pixels) {
  const Tensor y = x.clone();
  const int64_t h = x.shape()[2], w = x.shape()[3], element = dtype_bytes(x.dtype());
  for (int64_t c = 0; c < x.shape()[1]; ++c)
    for (int64_t row = 0; row < r.h; ++row)
      std::memcpy(y.raw() + ((c * h + r.y + row) * w + r.x) * element,
                  pixels.raw() + (c * r.h + row) * r.w * element, static_cast<size_t>(r.w * element));
  return y;
}

// Every score and probability of every place, both ways. Returns the part of the multiplications that was needed.
double check_same_bits(Network& net, const Tensor& x, const std::vector<Rect>& rects,
                       const Target& wanted = top1) {
  const Target target = settled(net, x, wanted);
  const WindowScores ours = window_scores(
      net, x, rects, [&](int64_t i) { return noise(x, rects[static_cast<size_t>(i)], i); }, target);
  const auto whole = [&](int64_t begin, int64_t end) {
    std::vector<Tensor> rows;
    for (int64_t i = begin; i < end; ++i)
      rows.push_back(with(x, rects[static_cast<size_t>(i)], noise(x, rects[static_cast<size_t>(i)], i)));
    return stack_rows(rows);
  };
  const RowScores theirs =
      forward_scores(net, x.shape(), std::ssize(rects), whole, target.repeated(std::ssize(rects)));
  CHECK(ours.scores == theirs.scores);
  CHECK(ours.probabilities == theirs.probabilities);
  return ours.part;
}

TEST_CASE("windows: small networks, everywhere, any square and stride") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    for (const bool residual : {false, true}) {
      Network net = with_formula_weights(SmallNetwork{.residual = residual}.graph(), device);
      const Tensor x = formula_input({1, 3, 31, 26});
      for (const auto& [window, stride] : {std::pair<int64_t, int64_t>{5, 4}, {1, 7}, {12, 9}, {31, 31}}) {
        CAPTURE(window);
        check_same_bits(net, x, squares(31, 26, window, stride));
      }
      check_same_bits(net, x, {{30, 25, 1, 1}, {0, 0, 31, 1}, {3, 2, 1, 20}});
    }
    Network channels = with_formula_weights(channel_head_graph(), device);
    const Shape one = channels.graph().input_shapes().at(0);
    check_same_bits(channels, formula_input(one), squares(one[2], one[3], 3, 2), Target::difference(0, 1));
    Network tokens = with_formula_weights(small_transformer_graph(), device);
    check_same_bits(tokens, formula_input({1, 3, 12, 8}), squares(12, 8, 4, 3));
  }
}

TEST_CASE("windows: less is computed, and what is kept serves all batches of places") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor x = formula_input({1, 3, 64, 96});
  const std::vector<Rect> rects = squares(64, 96, 6, 5);
  const double part = check_same_bits(net, x, rects);
  CHECK(part < 0.2);
  for (const int64_t limit : {int64_t{1} << 20, int64_t{5} << 18, int64_t{1} << 21}) {
    net.memory_limit = limit;
    check_same_bits(net, x, rects);
  }
  net.memory_limit = 0;
  net.batch_limit = 3;
  check_same_bits(net, x, rects);
}

TEST_CASE("windows: of a layer's unit") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor x = formula_input({1, 3, 31, 26});
  const Target unit = Target(Target::Scalar([](std::span<const double> maps, std::span<double> slope) {
                        slope[40] = 1;
                        return maps[40];
                      })).of(net.graph().find("relu2"));
  check_same_bits(net, x, squares(31, 26, 5, 4), unit);
}

TEST_CASE("windows: whole networks") {
  struct Try {
    const char* model;
    int64_t height, width, window, stride;
  };
  for (const Try& t : {Try{"squeezenet1_1", 97, 131, 20, 30}, Try{"alexnet", 127, 99, 24, 40},
                       Try{"vgg11_bn", 64, 96, 16, 33}, Try{"resnet18", 97, 80, 17, 40},
                       Try{"resnext50_32x4d", 64, 64, 9, 40}, Try{"mobilenet_v2", 96, 75, 16, 40},
                       Try{"densenet121", 64, 96, 16, 60}, Try{"googlenet", 96, 64, 16, 50},
                       Try{"shufflenet_v2_x0_5", 64, 64, 11, 30}, Try{"efficientnet_b0", 64, 64, 11, 40},
                       Try{"mobilenet_v3_small", 64, 80, 11, 40}, Try{"convnext_tiny", 64, 64, 8, 50}}) {
    CAPTURE(t.model);
    ImageModel net = models::load(t.model, "formula", Device::cpu());
    const Tensor x = formula_input({1, 3, t.height, t.width});
    const double part = check_same_bits(net, x, squares(t.height, t.width, t.window, t.stride));
    MESSAGE(t.model << ": " << part << " of the multiplications");
  }
}

TEST_CASE("windows: convolutions in Winograd's tiles") {
  ImageModel net = models::load("vgg11_bn", "formula", Device::cpu());
  KernelOptions winograd;
  winograd.winograd = true;
  Network tiles = with_formula_weights(net.graph(), Device::cpu(), winograd);
  const Tensor x = formula_input({1, 3, 75, 90});
  CHECK(check_same_bits(tiles, x, squares(75, 90, 13, 22)) < 0.9);
}

TEST_CASE("windows: what does not fit is refused") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor x = formula_input({1, 3, 14, 11});
  const Rect outside{10, 0, 5, 2};
  CHECK(usage_error([&] {
          window_graph(net.graph(), x.shape(), net.graph().output(), {&outside, 1}, Backend::cpu, {});
        }) == "a rectangle of 5×2 pixels at (10, 0) leaves an image of 14×11");
}

}  // namespace
}  // namespace loupe::test
