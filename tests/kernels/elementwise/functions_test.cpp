// ctest: FIXTURES_SETUP sim_coverage LABELS sim
// Elementwise functions at single numbers, beside their case tables: PyTorch's values and derivatives at
// kinks and at ±∞, NaN, the error bounds that each function states over all magnitudes of floats, and the
// same bits on cpu and simulator.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tests/support/device.h"
#include "tests/support/function_suite.h"
#include "tests/support/kernels_run.h"

namespace loupe::test {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = 0x1p-23;

template <typename T>
struct Evaluated {
  std::vector<T> y, slope;
};

// f and f′ of one row of numbers, as T is the backend's.
template <typename T>
Evaluated<T> evaluate(Backend backend, const Function& f, const std::vector<T>& x) {
  const auto count = static_cast<int64_t>(x.size());
  const std::vector<T> ones(x.size(), T(1));
  std::vector<T> kept(x.size());
  Evaluated<T> e{std::vector<T>(x.size()), std::vector<T>(x.size())};
  constexpr Dtype type = sizeof(T) == 8 ? Dtype::f64 : Dtype::f32;
  const auto array = [&](const void* data) { return Array{const_cast<void*>(data), type, {1, count}, {}}; };
  const Epilogue forward{.function = f}, slope{.function = f, .row = Epilogue::Row::slope};
  if (backend != Backend::sim) {
    finish(backend, {}, forward, array(x.data()), {}, array(e.y.data()), array(kept.data()));
    finish(backend, {}, slope, array(ones.data()), {}, array(e.slope.data()), array(kept.data()));
    return e;
  }
  DeviceModule& sim = DeviceModule::of(backend);
  const auto bytes = count * int64_t{sizeof(T)};
  void *from = sim.allocate(bytes), *to = sim.allocate(bytes), *record = sim.allocate(bytes);
  const auto step = [&](const Epilogue& epilogue, const std::vector<T>& in, std::vector<T>& out) {
    sim.upload(from, in.data(), bytes);
    finish(backend, {&sim, nullptr}, epilogue, array(from), {}, array(to), array(record));
    sim.download(out.data(), to, bytes);
  };
  step(forward, x, e.y);
  step(slope, ones, e.slope);
  for (void* p : {from, to, record}) sim.release(p);
  return e;
}

// One number, in double on ref and in float elsewhere.
std::pair<double, double> at(Backend backend, const Function& f, double x) {
  if (backend == Backend::ref) {
    const auto e = evaluate<double>(backend, f, {x});
    return {e.y[0], e.slope[0]};
  }
  const auto e = evaluate<float>(backend, f, {static_cast<float>(x)});
  return {e.y[0], e.slope[0]};
}

bool agree(double want, double got, double bound) {
  if (std::isnan(want) || std::isinf(want)) return std::isnan(want) ? std::isnan(got) : got == want;
  return std::fabs(got - want) <= bound;
}

// Every step-th float, of both signs.
std::vector<float> floats(uint32_t step) {
  std::vector<float> all;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += step)
    all.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  return all;
}

struct Point {
  const char* function;
  double x, y, slope;  // a slope of 99 is not looked at: 0·∞ there
};

// From PyTorch's formulas, forward and backward.
constexpr Point kPoints[] = {{"abs", -0.0, 0, 0},
                             {"abs", 0, 0, 0},
                             {"abs", -kInfinity, kInfinity, -1},
                             {"relu", -0.0, 0, 0},
                             {"relu", 0, 0, 0},
                             {"relu", kInfinity, kInfinity, 1},
                             {"relu", -kInfinity, 0, 0},
                             {"relu6", 0, 0, 0},
                             {"relu6", 6, 6, 0},
                             {"relu6", kInfinity, 6, 0},
                             {"leaky_relu", 0, 0, 0.01f},
                             {"leaky_relu", -kInfinity, -kInfinity, 0.01f},
                             {"elu", 0, 0, 1},
                             {"elu", -kInfinity, -1, 0},
                             {"elu", kInfinity, kInfinity, 1},
                             {"gelu", 0, 0, 0.5},
                             {"gelu", -kInfinity, kNaN, 99},
                             {"gelu", kInfinity, kInfinity, 99},
                             {"gelu_tanh", 0, 0, 0.5},
                             {"gelu_tanh", -kInfinity, kNaN, 99},
                             {"gelu_tanh", kInfinity, kInfinity, 99},
                             {"silu", 0, 0, 0.5},
                             {"silu", -kInfinity, kNaN, 99},
                             {"silu", kInfinity, kInfinity, 99},
                             {"sigmoid", 0, 0.5, 0.25},
                             {"sigmoid", -kInfinity, 0, 0},
                             {"sigmoid", kInfinity, 1, 0},
                             {"hard_sigmoid", -3, 0, 0},
                             {"hard_sigmoid", 3, 1, 0},
                             {"hard_sigmoid", 0, 0.5, 1.0 / 6},
                             {"hard_sigmoid", kInfinity, 1, 0},
                             {"hard_swish", -3, 0, 0},
                             {"hard_swish", 3, 3, 1},
                             {"hard_swish", -kInfinity, kNaN, 0},
                             {"hard_swish", kInfinity, kInfinity, 1},
                             {"tanh", kInfinity, 1, 0},
                             {"tanh", -kInfinity, -1, 0},
                             {"tanh", 0, 0, 1},
                             {"erf", 0, 0, 1.1283791670955126},
                             {"erf", 1, 0.84270079294971487, 0.41510749742059472},
                             {"erf", kInfinity, 1, 0},
                             {"erf", -kInfinity, -1, 0},
                             {"softplus", 0, 0.69314718055994531, 0.5},
                             {"softplus", -kInfinity, 0, 0},
                             {"softplus", 21, 21, 1},
                             {"softplus", kInfinity, kInfinity, 1},
                             {"exp", -kInfinity, 0, 0},
                             {"exp", kInfinity, kInfinity, kInfinity},
                             {"exp", 0, 1, 1},
                             {"log", 0, -kInfinity, kInfinity},
                             {"log", -0.0, -kInfinity, -kInfinity},
                             {"log", -1, kNaN, -1},
                             {"log", kInfinity, kInfinity, 0},
                             {"log", 1, 0, 1},
                             {"sqrt", 0, 0, kInfinity},
                             {"sqrt", -1, kNaN, kNaN},
                             {"sqrt", kInfinity, kInfinity, 0},
                             {"clamp", -kInfinity, -kInfinity, 1}};

}  // namespace

TEST_CASE("values and derivatives at kinks and at infinity are PyTorch's") {
  const auto all = all_functions();
  for (const Backend backend : host_and_simulator())
    for (const Point& p : kPoints) {
      if (std::ranges::find(all, p.function, &FunctionInfo::name) == all.end()) continue;
      CAPTURE(backend_name(backend));
      CAPTURE(p.function);
      CAPTURE(p.x);
      const Function f = function_op(p.function)->function();
      const FunctionInfo& info = function_info(f);
      const auto [y, slope] = at(backend, f, p.x);
      CHECK(agree(p.y, y, kEpsilon * info.ulps(p.x) * std::fabs(p.y)));
      if (p.slope != 99) CHECK(agree(p.slope, slope, kEpsilon * std::max(info.slope_ulps(p.x), 0.5)));
    }
  for (const Backend backend : host_and_simulator()) {  // limits that are passed, and such as are crossed
    CAPTURE(backend_name(backend));
    const Function f = function_op("clamp", {-0.75f, 1.25f})->function();
    for (const double limit : {-0.75, 1.25}) CHECK(at(backend, f, limit) == std::pair{limit, 1.0});
    CHECK(at(backend, f, 2) == std::pair{1.25, 0.0});
    CHECK(at(backend, f, -kInfinity) == std::pair{-0.75, 0.0});
    CHECK(at(backend, function_op("clamp", {3, 1})->function(), 2).first == 1);
  }
}

TEST_CASE("NaN passes, and an odd function keeps the sign of zero") {
  for (const Backend backend : host_and_simulator())
    for (const Function& f : every_function()) {
      CAPTURE(backend_name(backend));
      CAPTURE(describe(f));
      CHECK(std::isnan(at(backend, f, kNaN).first));
      const double y = at(Backend::ref, f, 0.3).first, mirrored = at(Backend::ref, f, -0.3).first;
      if (y == -mirrored && f.a >= 0) CHECK(std::signbit(at(backend, f, -0.0).first));
    }
}

TEST_CASE("at a kink the derivative is that of a side, or between them") {
  constexpr double h = 1e-7;
  for (const Function& f : every_function())
    for (const double x : {0.0, 3.0, -3.0, 6.0, 20.0, double{f.a}, double{f.b}}) {
      const double y = at(Backend::ref, f, x).first;
      const double left = (y - at(Backend::ref, f, x - h).first) / h,
                   right = (at(Backend::ref, f, x + h).first - y) / h;
      if (!std::isfinite(left) || !std::isfinite(right)) continue;
      CAPTURE(describe(f));
      CAPTURE(x);
      const double slope = at(Backend::ref, f, x).second, slack = 1e-6 * std::max(1.0, std::fabs(y));
      CHECK(slope >= std::min(left, right) - slack);
      CHECK(slope <= std::max(left, right) + slack);
    }
}

TEST_CASE("the error is what the function says, over all magnitudes") {
  const std::vector<float> x = floats(10007);
  const std::vector<double> exact(x.begin(), x.end());
  for (const Function& f : every_function()) {
    const FunctionInfo& info = function_info(f);
    CAPTURE(describe(f));
    const auto want = evaluate<double>(Backend::ref, f, exact);
    const auto got = evaluate<float>(Backend::cpu, f, x);
    size_t wrong = 0, wrong_slopes = 0;
    double worst = 0, worst_slope = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double tiny = (1 + std::fabs(exact[i])) * 0x1p-149;
      const double y = want.y[i], slope = want.slope[i];
      const bool overflows = std::fabs(y) > 3.402823e38;  // then ∞ will do as well
      if (!agree(y, got.y[i], kEpsilon * info.ulps(exact[i]) * std::fabs(y) + tiny) &&
          !(overflows && std::isinf(got.y[i])) && !wrong++)
        worst = exact[i];
      const double bound = kEpsilon * info.slope_ulps(exact[i]) * std::max(std::fabs(slope), 1.0);
      if (!std::isinf(bound) && !agree(slope, got.slope[i], bound) &&
          !(std::fabs(slope) > 3.402823e38 && std::isinf(got.slope[i])) && !wrong_slopes++)
        worst_slope = exact[i];
    }
    CHECK_MESSAGE(wrong == 0, "first at ", worst);
    CHECK_MESSAGE(wrong_slopes == 0, "first at ", worst_slope);
  }
}

TEST_CASE("rows of any length have the bits of single numbers") {
  std::vector<float> x;
  for (int i = 0; i < 41; ++i) x.push_back(0.37f * static_cast<float>(i) - 7.1f);
  for (const Function& f : every_function()) {
    CAPTURE(describe(f));
    Evaluated<float> single;
    for (const float v : x) {
      const auto e = evaluate<float>(Backend::cpu, f, {v});
      single.y.push_back(e.y[0]);
      single.slope.push_back(e.slope[0]);
    }
    for (size_t n = 1; n < x.size(); ++n) {
      const auto e =
          evaluate<float>(Backend::cpu, f, {x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n)});
      bool same = true;
      for (size_t i = 0; i < n; ++i)
        same = same && std::bit_cast<uint32_t>(e.y[i]) == std::bit_cast<uint32_t>(single.y[i]) &&
               std::bit_cast<uint32_t>(e.slope[i]) == std::bit_cast<uint32_t>(single.slope[i]);
      CHECK_MESSAGE(same, "a row of ", n);
    }
  }
}

TEST_CASE("cpu and simulator have the same bits") {
  if (!DeviceModule::status(Backend::sim).starts_with('/')) return;
  const std::vector<float> x = floats(2000003);
  const auto same = [](float a, float b) {
    return (std::isnan(a) && std::isnan(b)) || std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
  };
  for (const Function& f : every_function()) {
    CAPTURE(describe(f));
    const auto cpu = evaluate<float>(Backend::cpu, f, x), sim = evaluate<float>(Backend::sim, f, x);
    size_t values = 0, slopes = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      values += !same(cpu.y[i], sim.y[i]);
      slopes += !same(cpu.slope[i], sim.slope[i]);
    }
    CHECK(values == 0);
    CHECK(slopes == 0);
  }
  note_kernels_run("functions");
}

}  // namespace loupe::test
