// Ascent, and each thing it is made of: gradients by central differences in double.
#include "engine/neurons/ascent.h"

#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "engine/neurons/colours.h"
#include "engine/neurons/diversity.h"
#include "engine/neurons/penalties.h"
#include "engine/neurons/plane_spectrum.h"
#include "engine/neurons/touch_up.h"
#include "engine/neurons/unit.h"
#include "engine/run/passes.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

std::vector<double> normals(const std::string& name, int64_t count) {
  std::vector<double> v(static_cast<size_t>(count));
  Draws("7").normals(name, v);
  return v;
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// How far ⟨gradient, d⟩ is from the slope of f along d, relative to the larger. Central differences with the steps h and
// h/2, extrapolated to 0 (Richardson), so that an error of h² is gone; h is small beside what f bends over.
template <typename F>
double slope_error(const F& f, std::span<const double> p, std::span<const double> gradient, double h = 1e-4) {
  const std::vector<double> d = normals("direction", std::ssize(p));
  const auto difference = [&](double step) {
    std::vector<double> up(p.begin(), p.end()), down = up;
    for (size_t i = 0; i < up.size(); ++i) up[i] += step * d[i], down[i] -= step * d[i];
    return (f(up) - f(down)) / (2 * step);
  };
  const double measured = (4 * difference(h / 2) - difference(h)) / 3, said = dot(gradient, d);
  CHECK(std::abs(said) > 1e-3);
  return std::abs(measured - said) / std::max(std::abs(measured), std::abs(said));
}

TEST_CASE("spectrum: the sum itself, back again, and its vjp") {
  for (const auto& [height, width] :
       {std::pair<int64_t, int64_t>{6, 8}, {5, 7}, {4, 6}, {1, 1}, {7, 4}, {16, 12}, {1, 22}}) {
    CAPTURE(height);
    CAPTURE(width);
    const PlaneSpectrum s(height, width);
    const std::vector<double> plane = normals("plane", height * width);
    std::vector<std::complex<double>> cells(static_cast<size_t>(s.cells()));
    s.analyse(plane.data(), cells.data());
    for (int64_t u = 0; u < height; ++u)
      for (int64_t k = 0; k < s.columns(); ++k) {
        std::complex<double> sum = 0;
        for (int64_t i = 0; i < height * width; ++i)
          sum += plane[static_cast<size_t>(i)] *
                 std::polar(1.0, -2 * std::numbers::pi *
                                     (static_cast<double>(u * (i / width)) / static_cast<double>(height) +
                                      static_cast<double>(k * (i % width)) / static_cast<double>(width)));
        CHECK(std::abs(sum - cells[static_cast<size_t>(u * s.columns() + k)]) < 1e-11);
      }
    std::vector<double> back(plane.size());
    s.synthesise(cells.data(), back.data());
    for (size_t i = 0; i < plane.size(); ++i) CHECK(back[i] == doctest::Approx(plane[i]).epsilon(1e-12));
    // Any numbers, also those that no real plane has.
    const std::vector<double> any = normals("cells", 2 * s.cells()),
                              weights = normals("weights", height * width);
    std::vector<std::complex<double>> slopes(cells.size());
    s.pull(weights.data(), slopes.data());
    std::vector<double> gradient;
    for (const auto& z : slopes) gradient.push_back(z.real()), gradient.push_back(z.imag());
    const auto f = [&](const std::vector<double>& p) {
      std::vector<double> out(plane.size());
      s.synthesise(reinterpret_cast<const std::complex<double>*>(p.data()), out.data());
      return 1e3 * dot(out, weights);
    };
    for (double& v : gradient) v *= 1e3;
    CHECK(slope_error(f, any, gradient) < 1e-8);
  }
}

TEST_CASE("parameters: the gradient of each way to write a picture down") {
  for (const int64_t channels : {3, 1}) {
    const Canvas canvas{.channels = channels, .height = 10, .width = 7, .how = {}};
    MeanMagnitudes magnitudes(canvas);
    magnitudes.add(normals("photo", canvas.size()));
    std::vector<std::unique_ptr<Parameters>> ways;
    ways.push_back(pixel_parameters(canvas));
    ways.push_back(fourier_parameters(canvas));
    ways.push_back(maco_parameters(canvas, magnitudes.mean()));
    for (size_t way = 0; way < ways.size(); ++way) {
      CAPTURE(way);
      const Parameters& parameters = *ways[way];
      std::vector<double> p(static_cast<size_t>(parameters.size())), x(static_cast<size_t>(canvas.size()));
      parameters.begin(Draws("3"), "begin", 30, p);
      parameters.picture(p, x);
      const std::vector<double> weights = normals("weights", canvas.size());
      std::vector<double> gradient(p.size());
      parameters.pull(p, x, weights, gradient);
      const auto f = [&](const std::vector<double>& at) {
        std::vector<double> out(x.size());
        parameters.picture(at, out);
        return dot(out, weights);
      };
      CHECK(slope_error(f, p, gradient) < 1e-7);
    }
  }
}

TEST_CASE("maco: the magnitudes stay, and phases of a picture give it back") {
  const Canvas canvas{.channels = 3, .height = 8, .width = 6, .how = {}};
  const std::vector<double> photo = normals("photo", canvas.size());
  MeanMagnitudes magnitudes(canvas);
  CHECK(usage_error([&] { magnitudes.mean(); }) == "magnitudes need at least one picture");
  magnitudes.add(photo);
  const std::vector<double> r = magnitudes.mean();
  const PlaneSpectrum spectrum(8, 6);
  std::vector<double> colours = photo, phases;
  for (int64_t i = 0; i < canvas.size(); ++i) colours[static_cast<size_t>(i)] *= canvas.std(i / 48);
  decorrelate(colours, 3);
  std::vector<std::complex<double>> cells(static_cast<size_t>(spectrum.cells()));
  for (int64_t c = 0; c < 3; ++c) {
    spectrum.analyse(colours.data() + c * 48, cells.data());
    for (const auto& z : cells) phases.push_back(std::arg(z));
  }
  std::vector<double> x(photo.size());
  maco_parameters(canvas, r)->picture(phases, x);
  for (size_t i = 0; i < x.size(); ++i) CHECK(x[i] == doctest::Approx(photo[i]).epsilon(1e-9));
}

TEST_CASE("colours: A undone, and its transpose") {
  const std::vector<double> v = normals("v", 12), g = normals("g", 12);
  std::vector<double> a = v, back = v, t = g;
  correlate(a, 3);
  back = a;
  decorrelate(back, 3);
  pull_correlate(t, 3);
  for (size_t i = 0; i < 12; ++i) CHECK(back[i] == doctest::Approx(v[i]).epsilon(1e-10));
  CHECK(dot(a, g) == doctest::Approx(dot(v, t)).epsilon(1e-12));
}

TEST_CASE("views: jitter moves, and the way back is the transpose") {
  const std::vector<double> x = normals("x", 9 * 7);
  std::vector<double> out(x.size());
  Sampling({.down = 2, .right = -1}, 9, 7).sample(x.data(), out.data());
  for (int64_t y = 2; y < 9; ++y)
    for (int64_t c = 0; c < 6; ++c)
      CHECK(out[static_cast<size_t>(y * 7 + c)] == x[static_cast<size_t>((y - 2) * 7 + c + 1)]);
  Sampling({.turn = std::numbers::pi}, 9, 7).sample(x.data(), out.data());
  for (size_t i = 0; i < x.size(); ++i) CHECK(out[i] == doctest::Approx(x[x.size() - 1 - i]).epsilon(1e-9));
  const ViewRange range{.jitter = 3, .scale = 0.2, .rotation = 20};
  for (int64_t step = 0; step < 5; ++step) {
    const View v = range.draw(Draws("1"), "view", step);
    CHECK(std::abs(v.down) <= 3);
    CHECK(v.scale <= 1.2);
    CHECK(v.scale >= 1 / 1.2 - 1e-12);
    const Sampling s(v, 9, 7);
    const std::vector<double> g = normals("g", 63);
    std::vector<double> pulled(63);
    s.sample(x.data(), out.data());
    s.pull(g.data(), pulled.data());
    CHECK(dot(out, g) == doctest::Approx(dot(x, pulled)).epsilon(1e-12));
  }
}

TEST_CASE("penalties: values by hand, gradients by differences") {
  std::vector<double> x = normals("x", 3 * 5 * 4), g(x.size());
  CHECK(l2_penalty(0.5, x, g) == doctest::Approx(0.5 * dot(x, x)));
  CHECK(slope_error(
            [&](const std::vector<double>& at) {
              std::vector<double> ignored(at.size());
              return l2_penalty(0.5, at, ignored);
            },
            x, g) < 1e-8);
  std::ranges::fill(g, 0);
  total_variation(0.3, x, 5, 4, g);
  CHECK(slope_error(
            [&](const std::vector<double>& at) {
              std::vector<double> ignored(at.size());
              return total_variation(0.3, at, 5, 4, ignored);
            },
            x, g) < 1e-8);
  const std::vector<double> edge{0, 3, 4, 0};
  g.assign(4, 0);
  CHECK(total_variation(1, edge, 2, 2, g) == doctest::Approx(5 + 3 + 4).epsilon(1e-3));
}

TEST_CASE("diversity: the gradient, and pictures of a set that differ more for it") {
  const std::vector<double> maps = normals("maps", 3 * 4 * 6);
  const Shape shape{3, 4, 2, 3};
  const Tensor gradient = Tensor::zeros(Dtype::f64, shape);
  const auto value = [&](const std::vector<double>& at) {
    return diversity(Tensor::from(std::span<const double>(at), shape), Tensor::zeros(Dtype::f64, shape));
  };
  diversity(Tensor::from(std::span<const double>(maps), shape), gradient);
  CHECK(slope_error(value, maps, gradient.values<const double>()) < 1e-8);
  CHECK(value(std::vector<double>(72, 2.0)) == doctest::Approx(-3));  // three that are alike
}

TEST_CASE("touching up: a blur keeps the mean, clearing takes the smallest") {
  std::vector<double> x(2 * 9 * 11);
  x[4 * 11 + 5] = 1;
  gaussian_blur(1.2, x, 9, 11);
  double sum = 0;
  for (const double v : x) sum += v;
  CHECK(sum == doctest::Approx(1).epsilon(1e-12));
  CHECK(x[4 * 11 + 6] / x[4 * 11 + 5] == doctest::Approx(std::exp(-1 / (2 * 1.44))));
  CHECK(x[4 * 11 + 6] == doctest::Approx(x[3 * 11 + 5]));
  CHECK(x[99 + 4 * 11 + 5] == 0);
  std::vector<double> colours{1, 2, 3, 4, 0, 0, -9, 0};  // norms 1, 2, √90, 4
  clear_small_norms(50, colours, 2);
  CHECK(colours == std::vector<double>{0, 0, 3, 4, 0, 0, -9, 0});
  std::vector<double> pixels{1, 2, 3, 4};
  clear_small_contributions(50, pixels, std::vector<double>{5, 1, 1, 1}, 1);
  CHECK(pixels == std::vector<double>{1, 0, 0, 4});
}

// ---- the whole

const Canvas kCanvas{.channels = 3, .height = 14, .width = 11, .how = {}};

std::vector<Objective> classes(std::initializer_list<int64_t> wanted) {
  std::vector<Objective> all;
  for (const int64_t c : wanted) all.push_back({"class " + std::to_string(c), {{1.0, Target(c)}}});
  return all;
}

const AscentOptions kAdam{.rate = 0.05, .views = {.jitter = 2, .scale = 0.1, .rotation = 5}};

Ascent fourier(Network& net, std::vector<Objective> objectives, const AscentOptions& options = kAdam,
               const std::string& seed = "1") {
  return {net, kCanvas, fourier_parameters(kCanvas), std::move(objectives), options, Draws(seed)};
}

TEST_CASE("units of several numbers: values by hand, gradients by differences") {
  const Shape maps{1, 3, 2, 4}, tokens{1, 5, 6}, row{1, 7};
  const std::vector<double> d3 = normals("d3", 3), d6 = normals("d6", 6);
  const auto sum_over = [](const Shape& s, const std::vector<double>& x, const auto& weight) {
    double sum = 0;
    for (int64_t i = 0; i < s.numel(); ++i) sum += weight(i) * x[static_cast<size_t>(i)];
    return sum;
  };
  const std::vector<double> m = normals("maps", maps.numel()), t = normals("tokens", tokens.numel());
  double squares = 0, head = 0;
  for (const double v : m) squares += v * v;
  for (int64_t token = 0; token < 5; ++token)
    for (int64_t c = 2; c < 4; ++c) head += std::pow(t[static_cast<size_t>(6 * token + c)], 2);
  const struct {
    Target target;
    Shape shape;
    std::vector<double> x;
    double value;
  } cases[] = {
      {layer_unit(0, maps), maps, m, squares / 2 / 24},
      {head_unit(0, tokens, 1, 3), tokens, t, head / 2 / 10},
      {token_unit(0, tokens, 4, 3), tokens, t, t[3 * 6 + 4]},
      {direction_unit(0, maps, d3), maps, m,
       sum_over(maps, m, [&](int64_t i) { return d3[static_cast<size_t>(i / 8)] / 8; })},
      {direction_unit(0, tokens, d6), tokens, t,
       sum_over(tokens, t, [&](int64_t i) { return d6[static_cast<size_t>(i % 6)] / 5; })},
      {direction_unit(0, row, normals("d7", 7)), row, normals("row", 7),
       dot(normals("d7", 7), normals("row", 7))},
  };
  for (const auto& c : cases) {
    CAPTURE(c.target.words());
    const auto tensor = [&](const std::vector<double>& x) {
      const Tensor value(Dtype::f64, c.shape);
      std::ranges::copy(x, value.values<double>().begin());
      return value;
    };
    const auto f = [&](const std::vector<double>& x) { return c.target.scores(tensor(x))[0]; };
    CHECK(f(c.x) == doctest::Approx(c.value).epsilon(1e-12));
    const Tensor seed = c.target.seed(tensor(c.x));
    const auto slopes = seed.values<const double>();
    CHECK(slope_error(f, c.x, {slopes.begin(), slopes.end()}) < 1e-7);
  }
  CHECK_THROWS_WITH_AS(head_unit(0, tokens, 3, 3), doctest::Contains("it has 3"), UsageError);
  CHECK_THROWS_WITH_AS(token_unit(0, tokens, 0, 5), doctest::Contains("5 tokens of 6 numbers"), UsageError);
  CHECK_THROWS_AS(token_unit(0, maps, 0, 0), UsageError);
  CHECK_THROWS_WITH_AS(direction_unit(0, maps, d6), doctest::Contains("6 numbers"), UsageError);
}

TEST_CASE("ascent: units get stronger, on every device") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    Ascent ascent = fourier(net, classes({0, 3}));
    const std::vector<double> before = ascent.scores();
    for (int i = 0; i < 12; ++i) ascent.step();
    const std::vector<double> after = ascent.scores();
    for (size_t i = 0; i < 2; ++i) CHECK(after[i] > before[i]);
    CHECK(std::ssize(ascent.curve(1)) == 12);
  }
}

TEST_CASE("ascent: a plain step is rate times the gradient of the whole objective") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const NodeId layer = net.graph().inputs()[0] + 3;
  for (const bool unit : {false, true}) {
    const Target target = unit ? Target::unit(1).of(layer) : Target(2);
    const AscentOptions options{.adam = false,
                                .rate = 1e-3,
                                .l2 = 0.02,
                                .total_variation = 0.01,
                                .views = {.jitter = 2, .scale = 0.2, .rotation = 10}};
    Ascent ascent(net, kCanvas, pixel_parameters(kCanvas), {{"u", {{0.5, target}}}}, options, Draws("5"));
    const Tensor x = ascent.picture(0).clone();
    ascent.step();
    const Tensor moved = ascent.picture(0);
    std::vector<double> gradient;
    for (int64_t i = 0; i < x.numel(); ++i) gradient.push_back((moved.item(i) - x.item(i)) / 1e-3);
    const Sampling seen(options.views.draw(Draws("5"), "ascent.u.view", 0), 14, 11);
    const auto whole = [&](const std::vector<double>& p) {
      std::vector<double> view(p.size()), ignored(p.size());
      for (size_t c = 0; c < 3; ++c) seen.sample(p.data() + c * 154, view.data() + c * 154);
      const Tensor input = Tensor::from(std::span<const double>(view), {1, 3, 14, 11});
      const NodeId node = target.node(net.graph());
      Execution& pass = net.execution(input.shape(), {.values = {node}});
      pass.forward(input);
      return 0.5 * target.scores(pass.value(node))[0] - l2_penalty(0.02, p, ignored) -
             total_variation(0.01, p, 14, 11, ignored);
    };
    // The corner of the total variation is 1e-3 wide.
    CHECK(slope_error(whole, x.values<const double>(), gradient, 1e-5) < 1e-5);
    CHECK(ascent.curve(0)[0] - whole(values_of(x)) > 0);  // without the penalties
  }
}

TEST_CASE("ascent: the bits hang on name and seed alone, not on the batch, memory or an interruption") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    Ascent all = fourier(net, classes({0, 1, 2, 3, 4}));
    for (int i = 0; i < 4; ++i) all.step();
    Ascent alone = fourier(net, classes({3}));
    for (int i = 0; i < 4; ++i) alone.step();
    CHECK(same_bits(alone.picture(0), all.picture(3)));
    CHECK(alone.curve(0) == all.curve(3));
    net.memory_limit = memory_limits(device).back();
    Ascent first = fourier(net, classes({4, 3})), second = fourier(net, classes({4, 3}));
    for (int i = 0; i < 2; ++i) first.step();
    second.restore(first.state());
    for (int i = 0; i < 2; ++i) second.step();
    CHECK(same_bits(second.picture(1), all.picture(3)));
    CHECK(second.curve(0) == all.curve(4));
    Ascent other = fourier(net, classes({3}), kAdam, "2");
    for (int i = 0; i < 4; ++i) other.step();
    CHECK(!same_bits(other.picture(0), all.picture(3)));
    CHECK_THROWS_AS(other.restore(first.state()), Error);
  }
}

TEST_CASE("ascent: several layers, differences, weak ones, and blends in one run") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const NodeId layer = net.graph().inputs()[0] + 3;
  std::vector<Objective> asked = classes({1});
  asked.push_back({"weak", {{-1.0, Target(1)}}});
  asked.push_back({"difference", {{1.0, Target::difference(1, 0)}}});
  asked.push_back({"place", {{1.0, Target::unit(2, {{1, 1}}).of(layer)}}});
  asked.push_back({"blend", {{0.5, Target::unit(2).of(layer)}, {0.5, Target::unit(0).of(layer)}}});
  Ascent ascent = fourier(net, asked);
  const std::vector<double> before = ascent.scores();
  for (int i = 0; i < 8; ++i) ascent.step();
  const std::vector<double> after = ascent.scores();
  for (size_t i = 0; i < asked.size(); ++i) {
    CAPTURE(asked[i].name);
    CHECK(after[i] > before[i]);
    CHECK(!ascent.is_dead(static_cast<int64_t>(i)));
  }
}

TEST_CASE("ascent: a unit that nothing wakes is dead, once everything was tried") {
  const Canvas grey{.channels = 1, .height = 4, .width = 4, .how = {}};
  Network net = hand_network(Device::ref());  // both filters ask for sums of 50 and 75 and more
  Ascent pixels(net, grey, pixel_parameters(grey), {{"0", {{1.0, Target(0)}}}}, kAdam, Draws("1"));
  Ascent weak(net, grey, fourier_parameters(grey), {{"0", {{1.0, Target(0)}}}}, kAdam, Draws("1"));
  for (int i = 0; i < 8; ++i) pixels.step(), weak.step();
  CHECK(!weak.is_dead(0));
  for (int i = 0; i < 4; ++i) pixels.step(), weak.step();
  CHECK(weak.is_dead(0));  // nine colours between 0 and 1, normalised, never make 50
  CHECK(weak.curve(0) == std::vector<double>(12));
  CHECK(!weak.picture(0).to(Dtype::f32).shape().str().empty());
  CHECK(pixels.is_dead(0));
}

TEST_CASE("ascent: pictures of a set are less alike than others") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const NodeId layer = net.graph().inputs()[0] + 3;
  const auto alike = [&](double weight) {
    std::vector<Objective> asked;
    for (int i = 0; i < 3; ++i) asked.push_back({std::to_string(i), {{1.0, Target(1)}}, "", 0});
    AscentOptions options = kAdam;
    options.diversity = weight, options.diversity_layer = layer;
    Ascent ascent = fourier(net, asked, options);
    for (int i = 0; i < 20; ++i) ascent.step();
    Tensor x(Dtype::f32, {3, 3, 14, 11});
    for (int64_t i = 0; i < 3; ++i) copy_rows(ascent.picture(i).to(Dtype::f32), x, i);
    Execution& pass = net.execution(x.shape(), {.values = {layer}});
    pass.forward(x);
    const Tensor maps = pass.value(layer).to(Dtype::f64);
    return -diversity(maps, Tensor::zeros(Dtype::f64, maps.shape()));
  };
  CHECK(alike(2) < alike(0));
}

TEST_CASE("ascent: what makes no sense is one line") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  CHECK(usage_error([&] { fourier(net, classes({7})); }).find("there is no class 7") != std::string::npos);
  CHECK(usage_error([&] { fourier(net, classes({1, 1})); }) == "two units are called 'class 1'");
  CHECK(usage_error([&] { fourier(net, {}); }) == "an ascent needs a unit");
  CHECK(usage_error([&] { fourier(net, classes({1}), {.blur_every = 2}); }).find("pixels") !=
        std::string::npos);
  CHECK(usage_error([&] { fourier(net, classes({1}), {.rate = 0}); }).find("rate") != std::string::npos);
  const NodeId layer = net.graph().inputs()[0] + 3;
  CHECK(usage_error([&] {
          fourier(net, {{"mixed", {{1.0, Target(1)}, {1.0, Target::unit(0).of(layer)}}}});
        }) == "'mixed' mixes units of two layers");
}

}  // namespace
}  // namespace loupe::test
