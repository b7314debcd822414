// Which element of a window wins where several could: on every backend the first in row-major order, a NaN
// over any number, the first NaN over a later one. And what a switch that names no place does.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/max_unpool2d/max_unpool2d.h"
#include "tests/support/device.h"
#include "tests/support/op_call.h"

namespace loupe {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

using Numbers = std::vector<double>;
using Switches = std::vector<uint8_t>;

struct Way {
  Backend backend;
  Dtype dtype;
};
std::vector<Way> ways() {
  std::vector<Way> all{{Backend::ref, Dtype::f64}};
  for (const Backend b : test::host_and_simulator()) all.push_back({b, Dtype::f32});
  return all;
}

struct Pooled {
  Numbers y;
  Switches switches;
};

Pooled pool(Way way, const OpPtr& op, const Shape& shape, const Numbers& x) {
  const test::Result r = test::call(*op, Direction::forward, {.backend = way.backend, .dtype = way.dtype},
                                    {.shapes = {shape}, .inputs = {x}});
  Switches switches;
  for (const double s : r.record->numbers()) switches.push_back(static_cast<uint8_t>(s));
  return {r.value.numbers(), switches};
}

Numbers unpool(Way way, const OpPtr& op, const Shape& shape, const Numbers& x, const Switches& switches) {
  const test::How how{.backend = way.backend, .dtype = way.dtype, .input_types = {way.dtype, Dtype::u8}};
  const test::Operands operands{.shapes = {shape, shape},
                                .inputs = {x, Numbers(switches.begin(), switches.end())}};
  return test::call(*op, Direction::forward, how, operands).value.numbers();
}

// Equal as numbers, NaN equal to NaN.
bool same(const Numbers& a, const Numbers& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))) return false;
  return true;
}

struct Example {
  const char* what;
  Numbers window;  // 2×3
  double largest;
  int position;
};

const Example kExamples[] = {
    {"no tie", {1, 2, 3, 6, 5, 4}, 6, 3},
    {"all equal", {4, 4, 4, 4, 4, 4}, 4, 0},
    {"a tie along a row", {1, 7, 7, 2, 3, 4}, 7, 1},
    {"a tie down a column", {1, 2, 9, 3, 4, 9}, 9, 2},
    {"a tie across rows: the upper, though further right", {1, 2, 8, 8, 3, 4}, 8, 2},
    {"zeros of both signs are equal", {-1, -0.0, 0.0, 0.0, -2, -0.0}, 0, 1},
    {"infinities tie", {1, kInf, 2, kInf, 3, 4}, kInf, 1},
    {"nothing above minus infinity", {-kInf, -kInf, -kInf, -kInf, -kInf, -kInf}, -kInf, 0},
    {"a number above minus infinity", {-kInf, -kInf, -5, -kInf, -5, -kInf}, -5, 2},
    {"a NaN over larger numbers before it", {9, 8, 7, kNan, 1, 2}, kNan, 3},
    {"a NaN over larger numbers after it", {1, kNan, 7, 8, 9, kInf}, kNan, 1},
    {"the first NaN", {1, 2, kNan, kNan, 9, kNan}, kNan, 2},
    {"a NaN first of all", {kNan, 3, 3, 3, 3, 3}, kNan, 0},
    {"a NaN last of all", {3, 3, 3, 3, 3, kNan}, kNan, 5},
};

}  // namespace

TEST_CASE("the winner of a window") {
  const OpPtr op = max_pool2d({.kernel = {2, 3}});
  for (const Way& way : ways()) {
    CAPTURE(backend_name(way.backend));
    for (const Example& e : kExamples) {
      CAPTURE(e.what);
      const Pooled one = pool(way, op, {1, 1, 2, 3}, e.window);
      CHECK(same(one.y, {e.largest}));
      CHECK(static_cast<int>(one.switches[0]) == e.position);
    }
    // The same windows as channels of one array, so that each meets every lane's neighbours.
    Numbers all, largest;
    Switches positions;
    for (int repeat = 0; repeat < 3; ++repeat)
      for (const Example& e : kExamples) {
        all.insert(all.end(), e.window.begin(), e.window.end());
        largest.push_back(e.largest);
        positions.push_back(static_cast<uint8_t>(e.position));
      }
    const Pooled many = pool(way, op, {1, static_cast<int64_t>(positions.size()), 2, 3}, all);
    CHECK(same(many.y, largest));
    CHECK(many.switches == positions);
  }
}

TEST_CASE("padding is never chosen, but counts in the position") {
  const OpPtr op = max_pool2d({.kernel = 3, .stride = 2, .padding = 1});
  for (const Way& way : ways()) {
    const Pooled p = pool(way, op, {1, 1, 3, 3}, {-4, -3, -3, -9, -9, -3, -5, -2, -2});
    CHECK(same(p.y, {-3, -3, -2, -2}));  // never the padding, though every number is below 0
    CHECK(p.switches == Switches{5, 3, 5, 3});
  }
}

TEST_CASE("overlapping windows that meet in one maximum add up there") {
  const OpPtr op = max_pool2d({.kernel = 3, .stride = 1});
  const Numbers x = {0, 0, 0, 0, 0, 9, 9, 0,
                     0, 0, 0, 0, 0, 0, 0, 0};  // the tie goes to (1, 1) in all windows that see it
  for (const Way& way : ways()) {
    const Pooled p = pool(way, op, {1, 1, 4, 4}, x);
    CHECK(p.switches == Switches{4, 3, 1, 0});
    const OpPtr back = max_unpool2d({.kernel = 3, .stride = 1, .output = 4});
    Numbers expected(16, 0.0);
    expected[5] = 1 + 10 + 100 + 1000;
    CHECK(same(unpool(way, back, {1, 1, 2, 2}, {1, 10, 100, 1000}, p.switches), expected));
  }
}

TEST_CASE("a dilated window that misses the map") {
  const OpPtr op = max_pool2d({.kernel = 2, .padding = 1, .dilation = 3});
  for (const Way& way : ways()) {
    const Pooled p =
        pool(way, op, {1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});  // its rows and columns are -1 and 2
    CHECK(same(p.y, {-kInf, -kInf}));
    CHECK(p.switches == Switches{0, 0});
    const OpPtr back = max_unpool2d({.kernel = 2, .padding = 1, .dilation = 3, .output = 2});
    CHECK(same(unpool(way, back, {1, 2, 1, 1}, {1, 1}, p.switches), Numbers(8, 0.0)));
  }
}

TEST_CASE("switches that name no place are skipped") {
  const OpPtr op = max_unpool2d({.kernel = 3, .stride = 2, .padding = 1, .output = 3});
  for (const Way& way : ways()) {
    CAPTURE(backend_name(way.backend));
    // Window (0, 0) begins at (-1, -1): position 1 is in the padding; 9 and 255 are no position of a 3×3
    // window.
    const Numbers y = unpool(way, op, {1, 1, 2, 2}, {1, 2, 3, 4}, {1, 9, 255, 4});
    CHECK(same(y, {0, 0, 0, 0, 0, 0, 0, 0, 4}));
  }
}

TEST_CASE("there is no derivative with respect to switches") {
  const OpPtr op = max_unpool2d({.kernel = 2, .output = 4});
  for (const Way& way : ways())
    CHECK_THROWS_WITH_AS(op->prepare(way.backend, Direction::vjp(1), {}, {}),
                         doctest::Contains("max_unpool2d has no vjp_switches kernel on the"), Error);
}

}  // namespace loupe
