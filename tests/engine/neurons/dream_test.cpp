// ctest: LABELS big
// Dreams: gradients by windows against those of whole pictures, seams measured, steps by hand.
#include "engine/neurons/dream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/image/resize.h"
#include "engine/neurons/view.h"
#include "kernels/common/parallel.h"
#include "models/models.h"
#include "models/zoo/zoo.h"
#include "tests/support/networks.h"
#include "tests/support/pictures.h"

namespace loupe::test {
namespace {

Image blobs(int64_t width, int64_t height) {
  Image image{width, height, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < 3; ++c)
        image.rgb.push_back(static_cast<uint8_t>(
            127.5 + 60 * std::sin(0.31 * static_cast<double>(x) + static_cast<double>(c)) +
            60 * std::cos(0.23 * static_cast<double>(y) + 0.1 * static_cast<double>(x * c))));
  return image;
}

// The picture at its own size.
Tensor input(const Image& image) {
  return preprocess(image, {.crop = 0, .stretch = {image.height, image.width}});
}

// (1, C, H, W), f64.
Tensor cut(const Tensor& x, int64_t y0, int64_t y1, int64_t x0, int64_t x1) {
  const Shape& s = x.shape();
  const Tensor part(Dtype::f64, s.with(2, y1 - y0).with(3, x1 - x0));
  double* to = part.values<double>().data();
  for (int64_t c = 0; c < s[1]; ++c)
    for (int64_t y = y0; y < y1; ++y)
      for (int64_t k = x0; k < x1; ++k) *to++ = x.item((c * s[2] + y) * s[3] + k);
  return part;
}

// What windows make of a picture in the view's corner, mirrored beyond.
Tensor by_windows(DreamWindows& windows, const Tensor& x) {
  const Shape s = x.shape();
  const Tensor sum = Tensor::zeros(Dtype::f64, s);
  double* to = sum.values<double>().data();
  for (int64_t i = 0; i < windows.count(); ++i) {
    const auto [rows, columns] = windows.window(i);
    const int64_t h = rows.end - rows.begin, w = columns.end - columns.begin;
    const Tensor part(Dtype::f32, s.with(2, h).with(3, w));
    float* from = part.values<float>().data();
    for (int64_t c = 0; c < s[1]; ++c)
      for (int64_t y = rows.begin; y < rows.end; ++y)
        for (int64_t k = columns.begin; k < columns.end; ++k)
          *from++ = static_cast<float>(x.item((c * s[2] + mirrored(y, s[2])) * s[3] + mirrored(k, s[3])));
    const Tensor g = windows.gradient(i, part).to(Dtype::f64);
    for (int64_t c = 0; c < s[1]; ++c)
      for (int64_t y = 0; y < std::min(h, s[2] - rows.begin); ++y)
        for (int64_t k = 0; k < std::min(w, s[3] - columns.begin); ++k)
          to[(c * s[2] + rows.begin + y) * s[3] + columns.begin + k] +=
              g.item((c * h + y) * w + k) * rows.weights[static_cast<size_t>(y)] *
              columns.weights[static_cast<size_t>(k)];
  }
  return sum;
}

// One pass of the whole picture.
Tensor whole(Network& net, const DreamGoal& goal, const Tensor& x) {
  const NodeId in = net.graph().inputs()[0];
  Execution& pass = net.execution(x.shape(), {.values = {goal.node}, .from = goal.node, .gradients = {in}});
  pass.forward(x.to(net.device().compute_dtype()));
  pass.backward(goal.slope(pass.value(goal.node)));
  return pass.gradient(in).to(Dtype::f64).clone();
}

NodeId second_convolution(const Graph& graph) {
  std::vector<NodeId> found;
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op && graph.node(n).op->kind().name == "conv2d") found.push_back(n);
  return found.at(1);
}

std::vector<DreamGoal> goals(Network& net, NodeId node, const Tensor& guide) {
  const Shape& shape = net.graph().node(node).shape();
  std::vector<double> v(static_cast<size_t>(shape[1]));
  for (size_t i = 0; i < v.size(); ++i) v[i] = std::sin(static_cast<double>(i));
  return {layer_goal(node), direction_goal(node, shape, v), guide_goal(net, node, guide)};
}

// Mean |difference| to the column before, of columns where a window begins or ends, and of two on each side of it, 4 and
// 8 pixels away: seams are steps, or troughs in which little happens.
struct Seam {
  double at = 0, elsewhere = 0;
  int64_t on = 0, off = 0;
  void add(const Tensor& g, const std::vector<int64_t>& borders) {
    const int64_t w = g.shape()[3];
    for (const int64_t b : borders)
      for (int64_t x = b - 8; x <= b + 8; x += 4) {
        if (x < 1 || x >= w || b < 1 || b >= w) continue;
        for (int64_t i = x; i < g.numel(); i += w)
          (x == b ? at : elsewhere) += std::abs(g.item(i) - g.item(i - 1));
        (x == b ? on : off) += g.numel() / w;
      }
  }
  double ratio() const { return at / static_cast<double>(on) / (elsewhere / static_cast<double>(off)); }
};

}  // namespace

TEST_CASE("windows give the whole picture's gradient, to the bit, on every device") {
  const Tensor x = input(blobs(47, 61)), guide = input(blobs(17, 20));
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    for (const DreamGoal& goal : goals(net, second_convolution(net.graph()), guide)) {
      CHECK(DreamWindows::are_exact(net.graph(), goal));
      const Tensor expected = whole(net, goal, x);
      for (const int64_t side : {1, 24, 33, 1000}) {
        if (device.backend == Backend::sim && side != 33) continue;
        CAPTURE(side);
        DreamWindows windows(net, goal, 61, 47, 0, {.side = side});
        CHECK((windows.count() == 1) == (side == 1000));
        CHECK(same_bits(by_windows(windows, x), expected));
      }
    }
  }
}

TEST_CASE("and through fires and ceiled pools, residuals and batch norms, for sizes of any remainder") {
  for (const auto& [name, layer] : {std::pair("squeezenet1_1", "features.6"), {"resnet18", "layer2.0"}}) {
    CAPTURE(name);
    Network net = with_formula_weights(models::build(name, {}).graph, Device::cpu());
    const DreamGoal goal = layer_goal(net.graph().find(layer));
    for (const Pair size : {Pair(251, 237), Pair(230, 256)}) {
      const Tensor x = input(blobs(size.w, size.h));
      const Tensor expected = whole(net, goal, x);
      DreamWindows windows(net, goal, size.h, size.w, 0, {.side = 168});
      CHECK(windows.count() > 1);
      CHECK(same_bits(by_windows(windows, x), expected));
    }
  }
}

TEST_CASE("a window's limit: smaller windows, the same gradient; too little is said") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const DreamGoal goal = layer_goal(second_convolution(net.graph()));
  const Tensor x = input(blobs(147, 161));
  DreamWindows small(net, goal, 161, 147, 0, {.bytes = 1'000'000});
  CHECK(small.count() > 1);
  CHECK(same_bits(by_windows(small, x), whole(net, goal, x)));
  CHECK(contains(usage_error([&] { DreamWindows(net, goal, 61, 47, 0, {.bytes = 1000}); }), "at least"));
  const DreamGoal cls = score_goal(net.graph(), {{1.0, Target(1)}});
  CHECK(contains(usage_error([&] { DreamWindows(net, cls, 61, 47, 0, {.bytes = 1000}); }), "at least"));
}

// The columns of a picture where a window of that step begins or ends to count.
std::vector<int64_t> borders_of(const DreamWindows& windows, const Pair& size, int64_t step) {
  const double right = std::floor(Draws("1").uniform("dream.octave0", 2 * step + 1) *
                                  static_cast<double>(windows.width() - size.w + 1));
  std::vector<int64_t> borders;
  for (int64_t i = 0; i < windows.count(); ++i) {
    const auto& s = windows.window(i).columns;
    for (size_t k = 1; k < s.weights.size(); ++k)
      if ((s.weights[k] > 0) != (s.weights[k - 1] > 0))
        borders.push_back(s.begin + static_cast<int64_t>(k) - static_cast<int64_t>(right));
    borders.push_back(s.end - static_cast<int64_t>(right));
  }
  std::ranges::sort(borders);
  borders.erase(std::ranges::unique(borders).begin(), borders.end());
  return borders;
}

TEST_CASE("seams of dreams, over their steps, beside those of tiles that are moved but not joined") {
  ImageModel net = models::load("zoo", "", Device::cpu());
  const Pair size(64, 256);
  const NodeId layer = net.graph().find("features.13");
  for (const bool classes : {false, true}) {
    CAPTURE(classes);
    const DreamGoal goal = classes ? score_goal(net.graph(), {{1.0, Target(1)}}) : layer_goal(layer);
    const DreamOptions options{.octaves = 1, .steps = 6, .rate = 3, .jitter = 16, .side = 100};
    const DreamWindows windows(net, goal, size.h, size.w, options.jitter, {.side = options.side});
    REQUIRE(windows.count() > 3);
    Seam windowed, tiled;
    for (int64_t picture = 0; picture < 4; ++picture) {
      const Image photo = resize(zoo::draw(5, picture).image, size.w, size.h, true);
      const Tensor x = input(photo), change = Tensor::zeros(Dtype::f64, x.shape());
      const Tensor tiles = Tensor::zeros(Dtype::f64, x.shape());
      const Image made = dream(net, {}, photo, goal, options, Draws("1"));
      for (int64_t i = 0; i < x.numel(); ++i) {
        const auto at = static_cast<size_t>(i % (size.h * size.w) * 3 + i / (size.h * size.w));
        change.values<double>()[static_cast<size_t>(i)] = made.rgb[at] - photo.rgb[at];
      }
      for (int64_t step = 0; step < options.steps; ++step) {
        windowed.add(change, borders_of(windows, size, step));
        // The same number of tiles of 64 pixels side by side, each by itself, one step's gradient.
        const int64_t moved = 8 * step;
        std::vector<int64_t> borders;
        for (int64_t k = moved; k + 64 <= size.w; k += 64) {
          const Tensor g = whole(net, goal, cut(x, 0, 64, k, k + 64));
          for (int64_t i = 0; i < g.numel(); ++i)
            tiles.values<double>()[static_cast<size_t>(i / 64 * size.w + k + i % 64)] = g.item(i);
          if (k > moved) borders.push_back(k);
        }
        tiled.add(tiles, borders);
      }
    }
    MESSAGE("mean |difference| at borders over elsewhere: ", windowed.ratio(),
            "; tiles side by side: ", tiled.ratio());
    CHECK(std::abs(std::log(windowed.ratio())) < std::log(1.15));
    CHECK(std::abs(std::log(tiled.ratio())) > std::log(3.0));
  }
}

TEST_CASE("weights of windows add up to one, and there is room to move them") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const DreamGoal layer = layer_goal(second_convolution(net.graph())),
                  cls = score_goal(net.graph(), {{1.0, Target(1)}});
  CHECK(!DreamWindows::are_exact(net.graph(), cls));
  for (const DreamGoal& goal : {layer, cls})
    for (const int64_t size : {5, 14, 40}) {
      DreamWindows windows(net, goal, size, size, 3, {.side = 24});
      CHECK(windows.height() >= size + (goal.by_cells ? 3 : 14 - 14 / 4));
      std::vector<double> sum(static_cast<size_t>(windows.height() * windows.width()));
      for (int64_t i = 0; i < windows.count(); ++i) {
        const auto [rows, columns] = windows.window(i);
        for (int64_t y = rows.begin; y < rows.end; ++y)
          for (int64_t k = columns.begin; k < columns.end; ++k)
            sum[static_cast<size_t>(y * windows.width() + k)] +=
                rows.weights[static_cast<size_t>(y - rows.begin)] *
                columns.weights[static_cast<size_t>(k - columns.begin)];
      }
      for (const double v : sum) CHECK(v == doctest::Approx(1));
    }
}

TEST_CASE("goals by hand") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const NodeId node = second_convolution(net.graph());
  const Tensor guide = input(blobs(14, 17));
  const std::vector<DreamGoal> all = goals(net, node, guide);
  Execution& pass = net.execution(guide.shape(), {.values = {node}});
  pass.forward(guide);
  const Tensor of_guide = pass.value(node).clone();
  Execution& other = net.execution(Shape{1, 3, 25, 21}, {.values = {node}});
  other.forward(input(blobs(21, 25)));
  const Tensor value = other.value(node).clone();
  const int64_t channels = value.shape()[1], cells = value.numel() / channels,
                candidates = of_guide.numel() / channels;
  CHECK(same_bits(all[0].slope(value.clone()), value));
  const Tensor direction = all[1].slope(value), fitted = all[2].slope(value);
  for (int64_t i = 0; i < cells; ++i) {
    int64_t best = -1;
    double most = 0;
    for (int64_t j = 0; j < candidates; ++j) {
      double product = 0;
      for (int64_t c = 0; c < channels; ++c)
        product += of_guide.item(c * candidates + j) * value.item(c * cells + i);
      if (best < 0 || product > most) best = j, most = product;
    }
    for (int64_t c = 0; c < channels; ++c) {
      CHECK(direction.item(c * cells + i) == std::sin(static_cast<double>(c)));
      CHECK(fitted.item(c * cells + i) == of_guide.item(c * candidates + best));
    }
  }
  CHECK(contains(usage_error([&] { direction_goal(node, value.shape(), {1, 2, 3}); }), "3 numbers"));
  CHECK(contains(usage_error([&] { score_goal(net.graph(), {}); }), "needs a goal"));
}

TEST_CASE("a step is rate times the gradient over its mean size, within the colours") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const DreamGoal goal = layer_goal(second_convolution(net.graph()));
  const Image photo = blobs(31, 26);
  const DreamOptions options{.octaves = 1, .steps = 1, .rate = 40, .jitter = 0, .blur = 0};
  const Image made = dream(net, {}, photo, goal, options, Draws("1"));
  const Tensor g = whole(net, goal, input(photo));
  const Preprocessing how;
  std::vector<double> slope;
  double mean = 0;
  for (int64_t i = 0; i < g.numel(); ++i) {
    slope.push_back(g.item(i) / how.std[static_cast<size_t>(i / (31 * 26))]);
    mean += std::abs(slope.back()) / static_cast<double>(g.numel());
  }
  int64_t off = 0;
  for (int64_t i = 0; i < 31 * 26; ++i)
    for (int64_t c = 0; c < 3; ++c) {
      const auto at = static_cast<size_t>(3 * i + c);
      const double expected =
          std::clamp(photo.rgb[at] + 40 * slope[static_cast<size_t>(c * 31 * 26 + i)] / mean, 0.0, 255.0);
      CHECK(std::abs(made.rgb[at] - expected) < 0.51 + 0.004 * std::abs(expected - photo.rgb[at]));
      off += made.rgb[at] != std::lround(expected);
    }
  CHECK(off < 3 * 31 * 26 / 20);  // by the 8 bits of a bfloat16
}

TEST_CASE("dreams are stronger than photographs, on every device, and hang on the seed alone") {
  const Image photo = blobs(40, 33);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const NodeId node = second_convolution(net.graph());
    const DreamOptions options{.octaves = 2, .steps = 4, .jitter = 3};
    const auto made = [&](const DreamGoal& goal, const DreamOptions& o, const char* seed) {
      return dream(net, {}, photo, goal, o, Draws(seed)).rgb;
    };
    const auto strength = [&](const std::vector<uint8_t>& rgb) {
      double sum = 0;
      Execution& pass = net.execution(Shape{1, 3, 33, 40}, {.values = {node}});
      pass.forward(input({40, 33, rgb}));
      const Tensor value = pass.value(node);
      for (int64_t i = 0; i < value.numel(); ++i) sum += value.item(i) * value.item(i);
      return sum;
    };
    const std::vector<uint8_t> first = made(layer_goal(node), options, "1");
    CHECK(strength(first) > 1.05 * strength(photo.rgb));
    DreamOptions small = options;
    small.side = 20;
    CHECK(made(layer_goal(node), small, "1") == first);
    small.memory = (int64_t{64} << 20) + 400'000;
    CHECK(made(layer_goal(node), small, "1") == first);
    set_threads(1);
    CHECK(made(layer_goal(node), options, "1") == first);
    set_threads(2);
    CHECK(made(layer_goal(node), options, "2") != first);
    const DreamGoal cls = score_goal(net.graph(), {{1.0, Target(2)}});
    CHECK(made(cls, options, "1") == made(cls, small, "1"));
  }
}

TEST_CASE("a blurred gradient makes smoother changes, and windows of any size the same ones") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const DreamGoal goal = layer_goal(second_convolution(net.graph()));
  const Image photo = blobs(40, 33);
  const auto made = [&](double blur, int64_t side) {
    return dream(net, {}, photo, goal, {.octaves = 1, .steps = 2, .blur = blur, .side = side}, Draws("1"))
        .rgb;
  };
  const auto roughness = [&](const std::vector<uint8_t>& rgb) {
    double sum = 0;
    for (size_t i = 3; i < rgb.size(); ++i)
      sum += std::abs((rgb[i] - photo.rgb[i]) - (rgb[i - 3] - photo.rgb[i - 3]));
    return sum;
  };
  CHECK(roughness(made(2, 1024)) < 0.5 * roughness(made(0, 1024)));
  CHECK(made(2, 1024) == made(2, 20));
}

TEST_CASE("octaves, and what makes no sense") {
  const auto sizes = dream_octaves(480, 640, {});
  CHECK(sizes.size() == 4);
  CHECK(sizes.back() == Pair(480, 640));
  CHECK(sizes[2] == Pair(343, 457));
  CHECK(dream_octaves(3, 900, {}).size() == 1);
  CHECK(contains(usage_error([] { dream_octaves(3, 900, {.octaves = 9}); }), "leave nothing"));
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const DreamGoal goal = layer_goal(second_convolution(net.graph()));
  const auto error = [&](const DreamOptions& options) {
    return usage_error([&] { dream(net, {}, blobs(20, 20), goal, options, Draws("1")); });
  };
  CHECK(contains(error({.steps = 0}), "a step or more"));
  CHECK(contains(error({.rate = 0}), "rate"));
  CHECK(contains(error({.scale = 1}), "scale"));
  CHECK(contains(error({.blur = -1}), "blur"));
  CHECK(contains(error({.memory = 1000}), "needs more memory"));
  CHECK(contains(usage_error([&] { dream(net, {}, {}, goal, {}, Draws("1")); }), "is empty"));
  Network hand = hand_network(Device::ref());
  CHECK(contains(usage_error([&] {
                   dream(hand, for_channels({}, 1), blobs(4, 4), score_goal(hand.graph(), {{1.0, Target(0)}}),
                         {.steps = 1}, Draws("1"));
                 }),
                 "no gradient"));
}

}  // namespace loupe::test
