#include "tests/support/case_checks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace loupe::test {

namespace {

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

bool is_float(Dtype d) { return d == Dtype::f32 || d == Dtype::f64; }

}  // namespace

Random::Random(const std::string& seed) {
  for (char c : seed) state_ = (state_ ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
}

uint64_t Random::next() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

Numbers drawn(Random& random, Draw draw, const Shape& shape, int64_t limit) {
  if (draw == Draw::distinct) return distinct(random, static_cast<size_t>(shape.numel()));
  Numbers v(static_cast<size_t>(shape.numel()));
  for (double& x : v) {
    switch (draw) {
      case Draw::positive:
        x = std::floor((0.6 + 0.5 * random.uniform()) * 0x1p23) / 0x1p23;
        break;
      case Draw::apart:
        x = random.integer(128) / 16;
        break;
      case Draw::switches:
      case Draw::indices:
        x = static_cast<double>(random.below(limit));
        break;
      default:
        x = random.uniform();
    }
  }
  return v;
}

std::string Target::name() const {
  std::string s = std::string(backend_name(backend)) + " " + std::string(dtype_name(dtype));
  if (layout) s += *layout == Layout::blocked ? ", blocked" : ", planar";
  return s;
}

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

Numbers flat(const Result& r) {
  Numbers all = r.value.numbers();
  for (const Stored& s : r.more) {
    const Numbers v = s.numbers();
    all.insert(all.end(), v.begin(), v.end());
  }
  return all;
}

CaseChecks::CaseChecks(const OpKind& k, const OpSuite& s, const OpCase& c, Failures& failures,
                       Reached& reached, std::span<const Backend> backends, const Rung* rung)
    : kind(k),
      suite(s),
      test(c),
      op(*c.op),
      failures_(failures),
      reached_(reached),
      backends_(backends),
      rung_(rung) {}

void CaseChecks::run() {
  if (&op.kind() != &kind) return fail("the case", "is of op " + std::string(op.kind().name));
  guarded("the oracle", [&] {
    operands_ = draw(test.inputs);
    after_forward(kOracle, operands_);
  });
  if (!operands_.output) return;
  for (const Target& t : targets()) {
    guarded("agreement on " + t.name(), [&] { check_agreement(*this, t); });
    // What an order of sums depends on shows on the smaller cases too: enough for a rung, which is a lesson, and where all is
    // slow.
    const bool few = rung_ || t.backend == Backend::sim || kSanitized;
    if (!few || op.macs(operands_.shapes) <= 1 << 18)
      guarded("repeatability on " + t.name(), [&] { check_repeatability(*this, t); });
    if (rung_) continue;
    guarded("variants on " + t.name(), [&] { check_variants(*this, t); });
    guarded("epilogues on " + t.name(), [&] { check_epilogues(*this, t); });
  }
  if (rung_ || (kSanitized && op.macs(operands_.shapes) > 1 << 18)) return;
  if (suite.linear || suite.multilinear) guarded("adjoints", [&] { check_adjoints(*this); });
  if (!std::ranges::count(backends_, Backend::ref)) return;  // what follows is of the host
  guarded("derivatives", [&] { check_derivatives(*this); });
  guarded("instruction sets", [&] { check_instruction_sets(*this); });
}

// ---- failures

void CaseChecks::fail(const std::string& check, const std::string& text) const {
  failures_.push_back(std::string(kind.name) + ", case \"" + test.name + "\": " + check + ": " + text);
}

void CaseChecks::expect_same(const Stored& expected, const Stored& got, const std::string& check,
                             const std::string& what) const {
  if (expected.bytes == got.bytes) return;
  if (expected.shape != got.shape || expected.dtype != got.dtype || expected.layout != got.layout)
    return fail(check, what + ": expected an array " + expected.shape.str() +
                           " in its layout and type, got " + got.shape.str() + " in another");
  const Numbers a = expected.numbers(), b = got.numbers();
  for (size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(double)) != 0)
      return fail(check, what + " at " + coordinates(got.shape, static_cast<int64_t>(i)) + ": expected " +
                             number(a[i]) + ", got " + number(b[i]) + ", bit for bit");
  fail(check, what + ": the padding differs");
}

void CaseChecks::expect_same(const Result& expected, const Result& got, const std::string& check,
                             const std::string& what) const {
  expect_same(expected.value, got.value, check, what);
  for (size_t k = 0; k < std::min(expected.more.size(), got.more.size()); ++k)
    if (!expected.more[k].bytes.empty() && !got.more[k].bytes.empty())
      expect_same(expected.more[k], got.more[k], check, what + ", output " + std::to_string(k + 1));
  if (expected.record && got.record) expect_same(*expected.record, *got.record, check, what + ", the record");
  if (expected.epilogue_record && got.epilogue_record)
    expect_same(*expected.epilogue_record, *got.epilogue_record, check, what + ", the epilogue's record");
}

// ---- operands

Draw CaseChecks::draw_of(size_t i) const { return i < test.draws.size() ? test.draws[i] : Draw::uniform; }

bool CaseChecks::is_real(size_t i) const {
  return draw_of(i) != Draw::switches && draw_of(i) != Draw::indices;
}

Operands CaseChecks::draw(const std::vector<Shape>& shapes) const {
  Random random(std::string(kind.name) + "/" + test.name);
  Operands o{.shapes = shapes, .given = given()};
  for (size_t i = 0; i < shapes.size(); ++i)
    o.inputs.push_back(drawn(random, draw_of(i), shapes[i], test.limit));
  if (!test.given)
    for (const ParameterSpec& p : op.parameters(shapes)) {
      const bool variance = p.role == ParameterSpec::Role::norm_variance;
      o.inputs.push_back(
          drawn(random, variance ? Draw::positive : draw_of(o.shapes.size()), p.shape, test.limit));
      o.shapes.push_back(p.shape);
    }
  const std::vector<Type> types = outputs(o.shapes);
  for (size_t k = 0; k < types.size(); ++k) {
    const Numbers g = is_float(types[k].dtype) ? drawn(random, Draw::uniform, types[k].shape, 0) : Numbers{};
    k ? o.more_grad_outputs.push_back(g) : void(o.grad_output = g);
  }
  return o;
}

std::optional<ParameterSpec::Role> CaseChecks::role_of(size_t operand, const Operands& o) const {
  if (operand < given()) return std::nullopt;
  const auto specs = op.parameters(std::span(o.shapes).first(given()));
  const size_t p = operand - given();
  return p < specs.size() ? specs[p].role : ParameterSpec::Role::bias;  // as a folded batch norm adds one
}

std::vector<Type> CaseChecks::outputs(const std::vector<Shape>& shapes) const {
  std::vector<Type> types;
  for (size_t i = 0; i < shapes.size(); ++i)
    types.push_back({is_real(i)                     ? Dtype::f32
                     : draw_of(i) == Draw::switches ? Dtype::u8
                                                    : Dtype::i32,
                     shapes[i]});
  return op.infer(types);
}

// ---- calls

Kernel CaseChecks::rung_kernel(Direction d) const {
  return d.is_forward() ? rung_->forward : d == Direction::vjp_input ? rung_->vjp_input : nullptr;
}

bool CaseChecks::has(Backend b, Direction d) const {
  return rung_ ? rung_kernel(d) != nullptr : kind.has(b, d);
}

std::vector<Target> CaseChecks::targets() const {
  std::vector<Target> t;
  for (Backend b : backends_) {
    if (!has(b, Direction::forward)) continue;
    const int rank = test.inputs.empty() ? 0 : test.inputs[0].rank();
    const bool any =
        b == Backend::cpu && (rank == 2 || rank == 4) && op.layout(b, operands_.shapes) == LayoutWish::any;
    if (any)
      for (Layout l : {Layout::planar, Layout::blocked}) t.push_back({b, Dtype::f32, l});
    else
      t.push_back({b, Dtype::f32});
  }
  return t;
}

std::vector<Direction> CaseChecks::steps(Backend backend) const {
  std::vector<Direction> s;
  if (has(backend, Direction::forward)) s.push_back(Direction::forward);
  for (size_t i = 0; i < operands_.shapes.size(); ++i)
    if (const Direction d = Direction::vjp(static_cast<int>(i)); is_real(i) && has(backend, d))
      s.push_back(d);
  return s;
}

How CaseChecks::how(const Target& t, Direction d) const {
  How h{.backend = t.backend, .dtype = t.dtype, .layout = t.layout, .options = suite.options};
  if (rung_ && t.backend != Backend::ref) h.kernel = rung_kernel(d);
  for (size_t i = 0; i < test.inputs.size(); ++i)
    h.input_types.push_back(is_real(i) ? t.dtype : draw_of(i) == Draw::switches ? Dtype::u8 : Dtype::i32);
  return h;
}

Result CaseChecks::call_on(const Target& t, Direction d, const Operands& o) const {
  reached_.insert({t.backend, kind.variadic && !d.is_forward() ? Direction::vjp_input : d});
  return call(op, d, how(t, d), o);
}

Result CaseChecks::after_forward(const Target& t, Operands& o) const {
  Result r = call_on(t, Direction::forward, o);
  o.output = r.value;
  o.more_outputs = r.more;
  o.record = r.record;
  return r;
}

// ---- bounds

double CaseChecks::roundings(Direction d, const Operands& o) const {
  return static_cast<double>(op.accumulation_length(d, o.shapes)) + 4 + 2 * suite.function_ulps;
}

Operands CaseChecks::absolute(Operands o) const {
  for (size_t i = 0; i < o.inputs.size(); ++i) {
    if (!is_real(i)) continue;
    o.inputs[i] = magnitudes(std::move(o.inputs[i]));
    if (role_of(i, o) == ParameterSpec::Role::norm_mean)
      for (double& x : o.inputs[i]) x = -x;
  }
  o.grad_output = magnitudes(std::move(o.grad_output));
  for (Numbers& g : o.more_grad_outputs) g = magnitudes(std::move(g));
  return o;
}

Numbers CaseChecks::magnitude(Direction d, const Operands& o) const {
  if (suite.magnitude) {
    Numbers m = suite.magnitude(test, d, o);
    if (!m.empty()) return m;
  } else if (!d.is_forward() && !suite.linear && !suite.multilinear) {
    const Needs needs = op.needs(d);
    uint32_t values = 0;  // given operands that count as numbers
    for (size_t i = 0; i < given(); ++i) values |= is_real(i) ? 1u << i : 0;
    const auto record = op.record(o.shapes);
    if ((needs.operands & values) || needs.output || (needs.record && record && is_float(record->dtype)))
      throw Error(name(d) + " is not linear in what it reads: the suite must give its magnitude()");
  }
  Numbers m = magnitudes(flat(call_on(kOracle, d, absolute(o))));
  if (d.is_forward()) {
    const Numbers y = flat(call_on(kOracle, d, o));
    for (size_t i = 0; i < m.size(); ++i) m[i] = std::max(m[i], std::fabs(y[i]));
  }
  return m;
}

}  // namespace loupe::test
