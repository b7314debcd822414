#include "tests/support/op_checks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <set>

#include "hwy/targets.h"
#include "kernels/common/parallel.h"
#include "kernels/relu/relu.h"
#include "tests/support/op_call.h"

namespace loupe::test {

namespace {

// ---- drawing

// splitmix64: the same numbers on every machine.
class Random {
 public:
  explicit Random(const std::string& seed) {
    for (char c : seed) state_ = (state_ ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  }
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int64_t below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }
  /// [-1, 1) in steps of 2⁻²³, so that float32 holds it.
  double uniform() { return static_cast<double>(below(1 << 24) - (1 << 23)) / (1 << 23); }
  double integer(int64_t bound) { return static_cast<double>(below(2 * bound + 1) - bound); }

 private:
  uint64_t state_ = 0xcbf29ce484222325u;
};

// Different and evenly spaced, centred between two grid points so that neither 0 nor 6 is one; about [-8, 8).
Numbers distinct(Random& random, size_t count) {
  double step = 1.0 / 16;
  while (step * static_cast<double>(count) > 16 && step > 0x1p-9) step /= 2;
  Numbers v(count);
  for (size_t i = 0; i < count; ++i)
    v[i] = (static_cast<double>(i) - std::floor(static_cast<double>(count) / 2) + 0.5) * step;
  for (size_t i = count; i > 1; --i)
    std::swap(v[i - 1], v[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  return v;
}

Numbers drawn(Random& random, Draw draw, const Shape& shape, int64_t switch_cells) {
  if (draw == Draw::distinct) return distinct(random, static_cast<size_t>(shape.numel()));
  Numbers v(static_cast<size_t>(shape.numel()));
  for (double& x : v) {
    switch (draw) {
      case Draw::positive:
        x = std::floor((0.6 + 0.5 * random.uniform()) * 0x1p23) / 0x1p23;
        break;
      case Draw::switches:
        x = static_cast<double>(random.below(switch_cells));
        break;
      default:
        x = random.uniform();
    }
  }
  return v;
}

// ---- one case

using Failures = std::vector<std::string>;

struct Target {
  Backend backend;
  Dtype dtype;
  std::string name() const {
    return std::string(backend_name(backend)) + " " + std::string(dtype_name(dtype));
  }
};
constexpr Target kOracle{Backend::ref, Dtype::f64};

// A direction, and for vjp_input the input it is asked for.
struct Step {
  Direction direction = Direction::forward;
  int input = 0;
  bool is_input() const { return direction == Direction::vjp_input; }
};

constexpr double kUnit32 = 0x1p-24, kUnit64 = 0x1p-53;
double gamma(double n, double unit) { return n * unit / (1 - n * unit); }

Numbers magnitudes(Numbers v) {
  for (double& x : v) x = std::fabs(x);
  return v;
}

double dot(const Numbers& a, const Numbers& b) {
  long double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += static_cast<long double>(a[i]) * static_cast<long double>(b[i]);
  return static_cast<double>(sum);
}

std::string number(double x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", x);
  return text;
}

class CaseChecks {
 public:
  CaseChecks(const OpKind& kind, const OpSuite& suite, const OpCase& c, Failures& failures,
             std::set<std::pair<Backend, Direction>>& reached, std::span<const Backend> backends,
             const Rung* rung = nullptr)
      : kind_(kind),
        suite_(suite),
        case_(c),
        op_(*c.op),
        failures_(failures),
        reached_(reached),
        backends_(backends),
        rung_(rung) {}

  void run() {
    if (&op_.kind() != &kind_) return fail("the case", "is of op " + std::string(op_.kind().name));
    guarded("the oracle", [&] {
      operands_ = draw(case_.inputs);
      after_forward(kOracle, operands_);
    });
    if (!operands_.output) return;
    for (const Target& t : targets()) {
      guarded("agreement on " + t.name(), [&] { agreement(t); });
      // A rung is a lesson: what its order of sums depends on shows on the smaller cases too.
      if (!rung_ || op_.macs(case_.inputs) <= 1 << 18)
        guarded("repeatability on " + t.name(), [&] { repeatability(t); });
      if (!rung_) guarded("variants on " + t.name(), [&] { variants(t); });
    }
    if (rung_) return;
    if (suite_.linear) guarded("adjoints", [&] { adjoints(); });
    if (!std::ranges::count(backends_, Backend::ref)) return;  // what follows is of the host
    guarded("derivatives", [&] { derivatives(); });
    guarded("instruction sets", [&] { instruction_sets(); });
  }

 private:
  void fail(const std::string& check, const std::string& text) {
    failures_.push_back(std::string(kind_.name) + ", case \"" + case_.name + "\": " + check + ": " + text);
  }
  template <typename Body>
  void guarded(const std::string& check, const Body& body) {
    try {
      body();
    } catch (const std::exception& e) {
      fail(check, e.what());
    }
  }

  // ---- calls

  Draw draw_of(size_t input) const { return input < case_.draws.size() ? case_.draws[input] : Draw::uniform; }

  Operands draw(const std::vector<Shape>& shapes) const {
    Random random(std::string(kind_.name) + "/" + case_.name);
    Operands o;
    o.shapes = shapes;
    for (size_t i = 0; i < shapes.size(); ++i)
      o.inputs.push_back(drawn(random, draw_of(i), shapes[i], case_.switch_cells));
    using Role = ParameterSpec::Role;
    for (const auto& p : op_.parameters(shapes))
      o.parameters.push_back(
          drawn(random, p.role == Role::norm_variance ? Draw::positive : Draw::uniform, p.shape, 0));
    o.grad_output = drawn(random, Draw::uniform, op_.infer(shapes), 0);
    return o;
  }

  // The op's steps that `backend` has a kernel for and the case has an operand for.
  std::vector<Step> steps(Backend backend) const {
    std::vector<Step> s;
    for (Direction d : kDirections) {
      if (!has(backend, d)) continue;
      if (d == Direction::vjp_input) {
        for (size_t i = 0; i < case_.inputs.size(); ++i)
          if (draw_of(i) != Draw::switches) s.push_back({d, static_cast<int>(i)});
      } else if (d == Direction::forward || parameter_of(op_, d, case_.inputs)) {
        s.push_back({d, 0});
      }
    }
    return s;
  }

  // float on every backend.
  std::vector<Target> targets() const {
    std::vector<Target> t;
    for (Backend b : backends_)
      if (has(b, Direction::forward)) t.push_back({b, Dtype::f32});
    return t;
  }

  bool has(Backend b, Direction d) const { return rung_ ? kernel_of(d) != nullptr : kind_.has(b, d); }

  Kernel kernel_of(Direction d) const {
    return d == Direction::forward ? rung_->forward : d == Direction::vjp_input ? rung_->vjp_input : nullptr;
  }

  How how(const Target& t, const Step& s) const {
    How h{.backend = t.backend, .dtype = t.dtype, .input = s.input};
    if (rung_ && t.backend != Backend::ref) h.kernel = kernel_of(s.direction);
    for (size_t i = 0; i < case_.inputs.size(); ++i)
      h.input_types.push_back(draw_of(i) == Draw::switches ? Dtype::u8 : t.dtype);
    return h;
  }

  Result call_on(const Target& t, const Step& s, const Operands& o) const {
    reached_.insert({t.backend, s.direction});
    return call(op_, s.direction, how(t, s), o);
  }

  // Runs forward and leaves y and the record in `o`, for the vjps.
  Result after_forward(const Target& t, Operands& o) const {
    Result r = call_on(t, {}, o);
    o.output = r.value;
    o.saved = r.saved;
    return r;
  }

  std::string step_name(const Step& s) const {
    return std::string(direction_name(s.direction)) + (s.is_input() ? " " + std::to_string(s.input) : "");
  }

  // ---- bounds

  double roundings(const Step& s, const Operands& o) const {
    return static_cast<double>(op_.accumulation_length(s.direction, o.shapes)) + 4 + 2 * suite_.function_ulps;
  }

  Operands absolute(Operands o) const {
    for (size_t i = 0; i < o.inputs.size(); ++i)
      if (draw_of(i) != Draw::switches) o.inputs[i] = magnitudes(std::move(o.inputs[i]));
    const auto specs = op_.parameters(o.shapes);
    for (size_t p = 0; p < o.parameters.size(); ++p) {
      o.parameters[p] = magnitudes(std::move(o.parameters[p]));
      if (p < specs.size() && specs[p].role == ParameterSpec::Role::norm_mean)
        for (double& x : o.parameters[p]) x = -x;
    }
    o.grad_output = magnitudes(std::move(o.grad_output));
    return o;
  }

  // M of op_checks.h: the magnitude of the terms behind every element of a step's result.
  Numbers magnitude(const Step& s, const Operands& o) const {
    if (suite_.magnitude) {
      Operands asked = o;
      asked.input = s.input;
      Numbers m = suite_.magnitude(case_, s.direction, asked);
      if (!m.empty()) return m;
    }
    const Needs needs = op_.needs(s.direction);
    const bool forward = s.direction == Direction::forward;
    if (!forward && !suite_.linear && o.parameters.empty() && (needs.inputs || needs.output))
      throw Error(step_name(s) + " is not linear in what it reads: the suite must give its magnitude()");
    Numbers m = magnitudes(call_on(kOracle, s, absolute(o)).value.numbers());
    if (forward) {
      const Numbers y = call_on(kOracle, s, o).value.numbers();
      for (size_t i = 0; i < m.size(); ++i) m[i] = std::max(m[i], std::fabs(y[i]));
    }
    return m;
  }

  // ---- agreement

  void agreement(const Target& t) {
    Operands o = operands_;
    const Result oracle = call_on(kOracle, {}, o);
    const Result result = after_forward(t, o);
    compare({}, oracle.value, result.value, magnitude({}, o), roundings({}, o), suite_.exact);
    if (oracle.saved.has_value() != result.saved.has_value())
      return fail("agreement", "the tape's record is missing");
    if (oracle.saved) same_record(t, *oracle.saved, *result.saved, o);
    // The vjps start from what this backend's forward left, on either side: a tie broken by rounding is
    // forward's affair.
    for (const Step& s : steps(t.backend)) {
      if (s.direction == Direction::forward) continue;
      guarded(step_name(s) + " on " + t.name(), [&] {
        compare(s, call_on(kOracle, s, o).value, call_on(t, s, o).value, magnitude(s, o), roundings(s, o),
                false);
      });
    }
  }

  void compare(const Step& s, const Stored& oracle, const Stored& result, const Numbers& m, double n,
               bool exact) {
    const Numbers expected = oracle.numbers(), got = result.numbers();
    for (size_t i = 0; i < got.size(); ++i) {
      const double bound = exact ? 0 : gamma(n, kUnit32) * m[i];
      const double want = exact ? static_cast<double>(static_cast<float>(expected[i])) : expected[i];
      const bool fine =
          exact ? std::memcmp(&want, &got[i], sizeof want) == 0 : std::fabs(got[i] - want) <= bound;
      if (!fine)
        return fail("agreement", step_name(s) + " at " + coordinates(result.shape, static_cast<int64_t>(i)) +
                                     ": expected " + number(want) + ", got " + number(got[i]) + ", bound " +
                                     number(bound));
    }
  }

  // Masks and switches follow from comparisons of exact numbers, so there is nothing to tolerate.
  void same_record(const Target& t, const Stored& oracle, const Stored& result, const Operands& o) {
    const Numbers expected = oracle.numbers(), got = result.numbers();
    Numbers bounds(got.size());
    if (suite_.record_magnitude) {
      bounds = suite_.record_magnitude(o);
      for (double& b : bounds) b *= gamma(roundings({}, o), kUnit32);
    }
    for (size_t i = 0; i < got.size(); ++i)
      if (!(std::fabs(expected[i] - got[i]) <= bounds[i]))
        return fail("agreement", "the record on " + t.name() + " at " +
                                     coordinates(result.shape, static_cast<int64_t>(i)) + ": expected " +
                                     number(expected[i]) + ", got " + number(got[i]) + ", bound " +
                                     number(bounds[i]));
  }

  // ---- derivatives

  // f = Σ vᵢyᵢ, with `d` times h added to the operand that `s` differentiates.
  double objective(const Step& s, const Numbers& d, double h, const Numbers& v) const {
    Operands o = operands_;
    const auto p = parameter_of(op_, s.direction, o.shapes);
    Numbers& x = p ? o.parameters[*p] : o.inputs[static_cast<size_t>(s.input)];
    for (size_t i = 0; i < x.size(); ++i) x[i] += h * d[i];
    return dot(call_on(kOracle, {}, o).value.numbers(), v);
  }

  struct Slope {
    double value, truncation;
  };
  Slope slope(const Step& s, const Numbers& d, const Numbers& v) const {
    const auto difference = [&](double h) {
      return (objective(s, d, h, v) - objective(s, d, -h, v)) / (2 * h);
    };
    const double fine = difference(kStep), coarse = difference(2 * kStep);
    return {(4 * fine - coarse) / 3, std::fabs(coarse - fine)};
  }

  void derivatives() {
    Random random(case_.name + "/derivatives");
    const double s_forward = dot(magnitudes(operands_.grad_output), magnitude({}, operands_));
    const double rounding = 2 * gamma(roundings({}, operands_), kUnit64) * s_forward / kStep;
    for (const Step& s : steps(Backend::ref)) {
      if (s.direction == Direction::forward) continue;
      const Stored gradient = call_on(kOracle, s, operands_).value;
      const Numbers g = gradient.numbers(), m = magnitude(s, operands_);
      const double vjp_rounding = gamma(roundings(s, operands_), kUnit64);
      for (int trial = 0; trial < 3; ++trial) {
        Numbers d(g.size());  // no element is left still; x + hd is exact in double
        for (double& x : d) x = static_cast<double>(1 + random.below(16)) / 16 * (random.below(2) ? 1 : -1);
        const double terms = dot(magnitudes(d), m);
        const Slope numeric = slope(s, d, operands_.grad_output);
        const double bound = numeric.truncation + rounding + vjp_rounding * terms;
        if (!(bound <= 1e-5 * (s_forward + terms)))
          return fail("derivatives", step_name(s) + " cannot be seen: differences are good to " +
                                         number(bound) + " only (a kink, or values drawn too near one?)");
        if (std::fabs(numeric.value - dot(g, d)) <= bound) continue;
        fail("derivatives", step_name(s) + ": along a random direction expected " + number(numeric.value) +
                                ", got " + number(dot(g, d)) + ", bound " + number(bound) +
                                worst_element(s, gradient, g, rounding));
        break;
      }
    }
  }

  // Which element of a wrong gradient is furthest off. Slow, and only run on a failure.
  std::string worst_element(const Step& s, const Stored& gradient, const Numbers& g, double rounding) const {
    double worst = rounding, expected = 0;
    size_t at = g.size();
    Numbers d(g.size());
    for (size_t i = 0; i < std::min<size_t>(g.size(), 2000); ++i) {
      d[i] = 1;
      const double numeric = slope(s, d, operands_.grad_output).value;
      d[i] = 0;
      if (!(std::fabs(numeric - g[i]) <= worst)) {
        worst = std::fabs(numeric - g[i]);
        at = i;
        expected = numeric;
      }
    }
    if (at == g.size()) return "";
    return "; at " + coordinates(gradient.shape, static_cast<int64_t>(at)) + " expected " + number(expected) +
           ", got " + number(g[at]);
  }

  // ---- adjoints

  void adjoints() {
    using Role = ParameterSpec::Role;
    Random random(case_.name + "/adjoints");
    const double scale = suite_.adjoint_scale ? static_cast<double>(suite_.adjoint_scale(case_)) : 1;
    Operands o = operands_;
    for (size_t i = 0; i < o.inputs.size(); ++i)
      if (draw_of(i) != Draw::switches)
        for (double& x : o.inputs[i]) x = scale * random.integer(4);
    const auto specs = op_.parameters(o.shapes);
    for (size_t p = 0; p < specs.size(); ++p)
      for (double& x : o.parameters[p]) {
        const Role r = specs[p].role;
        x = r == Role::weight || r == Role::norm_weight ? random.integer(3)
            : r == Role::norm_variance                  ? 1
                                                        : 0;
      }
    for (double& x : o.grad_output) x = scale * random.integer(4);

    const Numbers y = after_forward(kOracle, o).value.numbers();
    if (dot(magnitudes(o.grad_output), magnitude({}, o)) > 0x1p53)
      return fail("adjoints", "the sums are too large to be exact");
    double sum = 0;
    for (const Step& s : steps(Backend::ref))
      if (s.is_input())
        sum += dot(o.inputs[static_cast<size_t>(s.input)], call_on(kOracle, s, o).value.numbers());
    expect_equal("<Ax, y> = <x, A'y>", dot(y, o.grad_output), sum);
    if (const auto w = parameter_of(op_, Direction::vjp_weight, o.shapes);
        w && kind_.has(Backend::ref, Direction::vjp_weight))
      expect_equal("<Ax, y> = <weight, vjp_weight>", dot(y, o.grad_output),
                   dot(o.parameters[*w], call_on(kOracle, {Direction::vjp_weight}, o).value.numbers()));
    if (const auto b = parameter_of(op_, Direction::vjp_bias, o.shapes);
        b && kind_.has(Backend::ref, Direction::vjp_bias)) {
      Operands shifted = o;
      for (double& x : shifted.parameters[*b]) x = random.integer(3);
      Numbers difference = call_on(kOracle, {}, shifted).value.numbers();
      for (size_t i = 0; i < y.size(); ++i) difference[i] -= y[i];
      expect_equal("<A(x) + b - A(x), y> = <b, vjp_bias>", dot(difference, o.grad_output),
                   dot(shifted.parameters[*b], call_on(kOracle, {Direction::vjp_bias}, o).value.numbers()));
    }

    if (suite_.adjoint_scale) return;  // divides: float is not exact
    for (const Target& t : targets())
      for (const Step& s : steps(t.backend)) {
        const Numbers m = magnitude(s, o);
        if (*std::max_element(m.begin(), m.end()) > 0x1p24) continue;
        const Result oracle = call_on(kOracle, s, o);
        const Numbers expected = oracle.value.numbers(), got = call_on(t, s, o).value.numbers();
        for (size_t i = 0; i < got.size(); ++i)
          if (expected[i] != got[i]) {
            fail("adjoints", step_name(s) + " on " + t.name() + " of integers is not exact at " +
                                 coordinates(oracle.value.shape, static_cast<int64_t>(i)) + ": expected " +
                                 number(expected[i]) + ", got " + number(got[i]));
            break;
          }
      }
  }

  void expect_equal(const std::string& identity, double left, double right) {
    if (left != right) fail("adjoints", identity + ": " + number(left) + " is not " + number(right));
  }

  // ---- repeatability

  void expect_same(const Stored& expected, const Stored& got, const std::string& check,
                   const std::string& what) {
    if (expected.bytes == got.bytes) return;
    const Numbers a = expected.numbers(), b = got.numbers();
    for (size_t i = 0; i < a.size(); ++i)
      if (std::memcmp(&a[i], &b[i], sizeof(double)) != 0)
        return fail(check, what + " at " + coordinates(got.shape, static_cast<int64_t>(i)) + ": expected " +
                               number(a[i]) + ", got " + number(b[i]) + ", bit for bit");
    fail(check, what + ": the padding differs");
  }
  void expect_same(const Result& expected, const Result& got, const std::string& check,
                   const std::string& what) {
    expect_same(expected.value, got.value, check, what);
    if (expected.saved && got.saved) expect_same(*expected.saved, *got.saved, check, what + ", the record");
  }

  static Result images(const Result& r, int64_t begin, int64_t count) {
    return {r.value.images(begin, count),
            r.saved ? std::optional(r.saved->images(begin, count)) : std::nullopt};
  }

  // Images [begin, begin + count) of a batch.
  Operands images(const Operands& o, int64_t begin, int64_t count) const {
    const auto cut = [=](const Numbers& v, int64_t batch) {
      const auto image = static_cast<int64_t>(v.size()) / batch;
      return Numbers(v.begin() + begin * image, v.begin() + (begin + count) * image);
    };
    Operands part = o;
    const int64_t batch = o.shapes[0][0];
    for (Shape& s : part.shapes) s = s.with(0, count);
    for (Numbers& v : part.inputs) v = cut(v, batch);
    part.grad_output = cut(o.grad_output, batch);
    if (o.output) part.output = o.output->images(begin, count);
    if (o.saved && !suite_.mixes_images) part.saved = o.saved->images(begin, count);
    return part;
  }

  void repeatability(const Target& t) {
    constexpr int64_t kBatch = 16;
    std::vector<Shape> shapes = case_.inputs;
    for (Shape& s : shapes) s = s.with(0, kBatch);
    const int before = max_threads();
    set_threads(1);
    Operands all = draw(shapes);
    after_forward(t, all);
    // ref's loops are slow and simple: a few pairs do for it. The order of the pairs also mixes the starting
    // images.
    struct Setting {
      int threads;
      int64_t batch;
    };
    std::vector<Setting> settings = {{5, 1}, {3, 7}, {2, 16}};
    if (t.backend == Backend::cpu || t.backend == Backend::cuda)
      for (int threads = 1; threads <= 5; ++threads)
        for (int64_t batch : {1, 2, 7, 16}) settings.push_back({threads, batch});
    for (const Step& s : steps(t.backend)) {
      set_threads(1);
      const bool one_batch = suite_.mixes_images || (s.direction != Direction::forward && !s.is_input());
      Operands few = images(all, 0, std::min<int64_t>(case_.inputs[0][0] + 1, kBatch));
      if (suite_.mixes_images) after_forward(t, few);
      const Result reference = call_on(t, s, one_batch ? few : all);
      for (size_t k = 0; k < settings.size(); ++k) {
        const auto [threads, batch] = settings[k];
        const std::string what = step_name(s) + " with " + std::to_string(threads) + " thread(s)";
        set_threads(threads);
        if (t.backend == Backend::sim)
          DeviceModule::of(Backend::sim).configure("seed", std::to_string(k + 2));
        if (one_batch) {
          if (k == 0 || threads != settings[k - 1].threads)
            expect_same(reference, call_on(t, s, few), "repeatability on " + t.name(), what);
          continue;
        }
        const int64_t begin = static_cast<int64_t>(k * 5) % (kBatch - batch + 1);
        expect_same(images(reference, begin, batch), call_on(t, s, images(all, begin, batch)),
                    "repeatability on " + t.name(),
                    what + ", images " + std::to_string(begin) + "… in a batch of " + std::to_string(batch));
      }
    }
    set_threads(before);
    if (t.backend == Backend::sim) DeviceModule::of(Backend::sim).configure("seed", "1");
  }

  // ---- variants of a call that must not change its bits

  void variants(const Target& t) {
    Operands o = operands_;
    const Result plain = after_forward(t, o);
    const std::string check = "variants on " + t.name();
    How h = how(t, {});
    h.tape = false;
    if (plain.saved)
      expect_same(plain.value, call(op_, Direction::forward, h, o).value, check, "forward without a tape");
    if (op_.in_place())
      for (const Step& s : steps(t.backend)) {
        if (s.direction != Direction::forward && !s.is_input()) continue;  // of another shape
        const Result apart = call_on(t, s, o);
        h = how(t, s);
        h.in_place = true;
        expect_same(apart, call(op_, s.direction, h, o), check, step_name(s) + " in place");
      }
    if (op_.is_view(backend_layout(t.backend), o.shapes)) {
      const Stored x = Stored::of(o.inputs[0], t.dtype, o.shapes[0], backend_layout(t.backend));
      if (x.bytes != plain.value.bytes) fail(check, "is_view() is true, but forward changes bytes");
    }
    if (op_.vjp_is_identity())
      for (const Step& s : steps(t.backend)) {
        if (!s.is_input()) continue;
        const Stored signal = Stored::of(o.grad_output, t.dtype, o.output->shape, backend_layout(t.backend));
        if (call_on(t, s, o).value.bytes != signal.bytes)
          fail(check, "vjp_is_identity() is true, but " + step_name(s) + " changes bytes");
      }
    if (op_.folds_batch_norm() && o.parameters.size() == 1) added_bias(t);
    if (!op_.fuses_activation(t.backend)) return;
    using Kind = Activation::Kind;
    for (const OpPtr& family : {relu(), relu6(), leaky_relu(0.125)}) {
      const std::string what = "forward with " + std::string(family->kind().name) + " fused";
      Operands y;
      y.shapes = {plain.value.shape};
      y.inputs = {plain.value.numbers()};
      const Result expected = call(*family, Direction::forward, {.backend = t.backend, .dtype = t.dtype}, y);
      h = how(t, {});
      h.activation = family->activation();
      guarded(what, [&] { expect_same(expected, call(op_, Direction::forward, h, o), check, what); });
      h.tape = false;
      guarded(what, [&] {
        expect_same(expected.value, call(op_, Direction::forward, h, o).value, check, what + ", no tape");
      });
      h.tape = h.in_place = true;
      if (op_.in_place())
        guarded(what, [&] {
          expect_same(expected, call(op_, Direction::forward, h, o), check, what + ", in place");
        });
    }
    static_assert(static_cast<int>(Kind::leaky_relu) == 3, "another activation: add it to the list above");
  }

  // Folding a batch norm gives a bias to an op configured without one.
  void added_bias(const Target& t) {
    const Shape weight = op_.parameters(case_.inputs)[0].shape;
    Random random(case_.name + "/bias");
    Operands o = operands_;
    o.parameters.push_back(drawn(random, Draw::uniform, {weight[*op_.folds_batch_norm()]}, 0));
    compare({}, call_on(kOracle, {}, o).value, call_on(t, {}, o).value, magnitude({}, o), roundings({}, o),
            false);
    // The oracle's own use of the bias: y − y without it is the bias of the channel.
    const Numbers with = call_on(kOracle, {}, o).value.numbers(), without = operands_.output->numbers();
    const Nchw y = Nchw::of(operands_.output->shape);
    const Numbers m = magnitude({}, o);
    for (size_t i = 0; i < with.size(); ++i) {
      const double b = o.parameters[1][i / static_cast<size_t>(y.h * y.w) % static_cast<size_t>(y.c)];
      if (!(std::fabs(with[i] - without[i] - b) <= 2 * gamma(roundings({}, o), kUnit64) * m[i]))
        return fail("variants", "an added bias on ref at " +
                                    coordinates(operands_.output->shape, static_cast<int64_t>(i)) +
                                    ": expected " + number(b) + " more, got " + number(with[i] - without[i]));
    }
  }

  // ---- instruction sets

  void instruction_sets() {
    constexpr int64_t kSets = HWY_AVX2 | HWY_AVX3;
    if (!kind_.has(Backend::cpu, Direction::forward) || (hwy::SupportedTargets() & kSets) != kSets) return;
    const Target cpu{Backend::cpu, Dtype::f32};
    Operands o = operands_;
    after_forward(cpu, o);
    for (const Step& s : steps(Backend::cpu)) {
      hwy::GetChosenTarget().Update(HWY_AVX2);
      const Result narrow = call_on(cpu, s, o);
      hwy::GetChosenTarget().Update(HWY_AVX3);
      expect_same(narrow, call_on(cpu, s, o), "instruction sets", step_name(s) + ", AVX2 then AVX-512");
    }
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }

  static constexpr double kStep = 0x1p-13;

  const OpKind& kind_;
  const OpSuite& suite_;
  const OpCase& case_;
  const Op& op_;
  Failures& failures_;
  std::set<std::pair<Backend, Direction>>& reached_;
  std::span<const Backend> backends_;
  const Rung* rung_;   // null: the op's own kernels
  Operands operands_;  // with what ref in double leaves
};

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

void check_rejection(const OpKind& kind, const Rejection& r, Failures& failures) {
  const std::string start = std::string(kind.name) + ", rejection \"" + r.name + "\": ";
  try {
    r.attempt();
    failures.push_back(start + "was accepted");
  } catch (const UsageError& e) {
    const std::string text = e.what();
    if (!contains(text, r.message))
      failures.push_back(start + "says \"" + text + "\", without \"" + r.message + "\"");
    if (contains(text, "\n")) failures.push_back(start + "says more than one line");
  } catch (const std::exception& e) {
    failures.push_back(start + "is not a UsageError, but: " + e.what());
  }
}

void check_table(const OpKind& kind, const std::set<std::pair<Backend, Direction>>& reached,
                 std::span<const Backend> backends, Failures& failures) {
  for (Backend b : backends)
    for (Direction d : kDirections) {
      const std::string cell = std::string(kind.name) + ", " + std::string(direction_name(d)) + " on " +
                               std::string(backend_name(b));
      if (kind.has(b, d)) {
        if (!reached.contains({b, d})) failures.push_back(cell + ": no case reaches this kernel");
        continue;
      }
      try {
        kind.kernel(b, d);
        failures.push_back(cell + ": an empty cell gave a kernel");
      } catch (const Error& e) {
        for (std::string_view part : {kind.name, direction_name(d), backend_name(b)})
          if (!contains(e.what(), part))
            failures.push_back(cell + ": the error does not name " + std::string(part) + ": " + e.what());
      }
    }
  for (Direction d : {Direction::forward, Direction::vjp_input})
    if (!kind.has(Backend::ref, d))
      failures.push_back(std::string(kind.name) + ": has no " + std::string(direction_name(d)) + " on ref");
}

Failures check(const OpKind& kind, const OpSuite& suite, std::span<const Backend> backends) {
  Failures failures;
  std::set<std::pair<Backend, Direction>> reached;
  std::set<std::string> names;
  if (suite.cases.empty()) failures.push_back(std::string(kind.name) + ": its suite has no case");
  for (const OpCase& c : suite.cases) {
    if (!names.insert(c.name).second)
      failures.push_back(std::string(kind.name) + ": two cases are named \"" + c.name + "\"");
    CaseChecks(kind, suite, c, failures, reached, backends).run();
  }
  for (const Rejection& r : suite.rejections) check_rejection(kind, r, failures);
  check_table(kind, reached, backends, failures);
  return failures;
}

}  // namespace

std::vector<std::string> check_op(const OpKind& kind, const OpSuite& suite) {
  constexpr Backend kHost[] = {Backend::ref, Backend::cpu};
  return check(kind, suite, kHost);
}

std::vector<std::string> check_op_on(Backend device, const OpKind& kind, const OpSuite& suite) {
  return check(kind, suite, {&device, 1});
}

std::vector<std::string> check_rung_on(Backend device, const OpKind& kind, const OpSuite& suite,
                                       const Rung& rung) {
  Failures failures;
  std::set<std::pair<Backend, Direction>> reached;
  for (const OpCase& c : suite.cases)
    CaseChecks(kind, suite, c, failures, reached, {&device, 1}, &rung).run();
  if (!reached.contains({device, Direction::forward})) failures.push_back("no case ran it");
  return failures;
}

}  // namespace loupe::test
