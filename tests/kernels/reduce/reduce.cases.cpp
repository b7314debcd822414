#include "kernels/reduce/reduce.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/support/device.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {
namespace {

using Kind = Reduce::Kind;
constexpr uint32_t kNoImages = 1;  // OpCase::unbatched

OpCase reduced(std::string name, Shape input, Reduce config, uint32_t unbatched = 0) {
  const Draw draw = config.kind == Kind::max ? Draw::distinct : Draw::uniform;
  return {.name = std::move(name),
          .op = reduce(config),
          .inputs = {input},
          .draws = {draw},
          .unbatched = unbatched};
}

Rejection refuses(std::string name, Shape input, Reduce config, std::string message) {
  return {std::move(name), [=] { infer(reduce(config), {input}); }, std::move(message)};
}

// The vjp of max moves what it reads; where to, the record says.
std::vector<double> magnitude(const OpCase&, Direction, const Operands&) { return {}; }

}  // namespace

// Half an ulp: the division of a mean, which the bound's four roundings cover.
extern const OpSuite reduce_suite{
    .cases =
        {
            reduced("sum of vectors", {3, 37}, {.kind = Kind::sum}),
            reduced("mean of vectors, kept", {3, 100}, {.kind = Kind::mean, .keep = true}),
            reduced("max of vectors", {3, 37}, {.kind = Kind::max}),
            reduced("sum over tokens", {2, 11, 5}, {.kind = Kind::sum, .axes = {1}}),
            reduced("mean over tokens, more than a block of features", {2, 20, 37},
                    {.kind = Kind::mean, .axes = {1}}),
            reduced("max over tokens, kept", {2, 11, 35}, {.kind = Kind::max, .axes = {1}, .keep = true}),
            reduced("mean of maps", {2, 3, 9, 10}, {.kind = Kind::mean, .axes = {2, 3}}),
            reduced("max of maps", {2, 3, 4, 5}, {.kind = Kind::max, .axes = {-2, -1}}),
            reduced("sum over channels and columns", {2, 5, 3, 17},
                    {.kind = Kind::sum, .axes = {1, 3}, .keep = true}),
            reduced("max over channels and columns", {2, 5, 3, 17}, {.kind = Kind::max, .axes = {3, 1}}),
            reduced("mean over channels and rows", {2, 5, 3, 18}, {.kind = Kind::mean, .axes = {1, 2}}),
            reduced("max over every other axis of 6", {2, 3, 2, 3, 2, 3},
                    {.kind = Kind::max, .axes = {1, 3, 5}}),
            reduced("sum over every other axis of 6", {2, 3, 2, 3, 2, 3},
                    {.kind = Kind::sum, .axes = {0, 2, 4}}, kNoImages),
            reduced("more than a warp's share", {3, 1033}, {.kind = Kind::mean}),
            reduced("max of more than a warp's share", {2, 3, 1100}, {.kind = Kind::max, .axes = {1, 2}}),
            reduced("axes of size 1", {3, 1, 7, 1}, {.kind = Kind::sum, .axes = {1, 3}}),
            reduced("everything, kept", {3, 4, 5}, {.kind = Kind::max, .axes = {0, 1, 2}, .keep = true},
                    kNoImages),
            reduced("over the batch", {6, 20}, {.kind = Kind::mean, .axes = {0}}, kNoImages),
        },
    .rejections =
        {
            refuses("empty", {2, 0}, {}, "reduce takes a non-empty input"),
            refuses("no axes", {2, 3}, {.axes = {}}, "one axis at least"),
            refuses("no such axis", {2, 3}, {.axes = {2}}, "(2, 3) has no axis 2"),
            refuses("an axis twice", {2, 3}, {.axes = {1, -1}}, "axis -1 is named twice"),
            refuses("nothing left", {2, 3}, {.axes = {0, 1}}, "reduce leaves no axis of (2, 3)"),
        },
    .magnitude = magnitude,
};

TEST_CASE("reduce: the gradient of a maximum goes to the first greatest, and a NaN is the greatest") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const Backend backend : host_and_simulator())
    for (const int axis : {1, 2}) {  // of (4, 3, 1) and of (4, 1, 3): columns, and rows
      const Shape shape = axis == 1 ? Shape{4, 3, 2} : Shape{4, 2, 3};
      Operands o{.shapes = {shape}};
      const double groups[4][3] = {{1, 5, 5}, {nan, 2, nan}, {-inf, -inf, -inf}, {-1, -2, -1}};
      o.inputs.emplace_back();
      for (const auto& group : groups)
        for (int i = 0; i < 6; ++i) o.inputs[0].push_back(group[axis == 1 ? i / 2 : i % 3]);
      const How how{.backend = backend, .dtype = Dtype::f32};
      const OpPtr op = reduce({.kind = Kind::max, .axes = {axis}});
      const Result forward = call(*op, Direction::forward, how, o);
      const Numbers y = forward.value.numbers();
      CHECK(y[0] == 5);
      CHECK(std::isnan(y[2]));
      CHECK(y[4] == -inf);
      CHECK(y[6] == -1);
      o.grad_output = {1, 2, 3, 4, 5, 6, 7, 8};
      o.record = forward.record;
      const Numbers gx = call(*op, Direction::vjp_input, how, o).value.numbers();
      const int first[4] = {1, 0, 0, 0};
      for (int n = 0; n < 4; ++n)
        for (int i = 0; i < 6; ++i) {
          const int place = axis == 1 ? i / 2 : i % 3, column = axis == 1 ? i % 2 : i / 3;
          CHECK(gx[static_cast<size_t>(6 * n + i)] == (place == first[n] ? 2 * n + column + 1 : 0));
        }
    }
}

}  // namespace loupe::test
