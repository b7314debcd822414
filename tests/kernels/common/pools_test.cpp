// The pools and normalisations on ref, in double, against PyTorch (tests/oracle/make_pools_golden.py): sizes,
// outputs and gradients. The case tables compare the backends with ref; this ties ref to what others mean by
// these ops.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/avg_pool2d/avg_pool2d.h"
#include "kernels/batch_norm_training/batch_norm_training.h"
#include "kernels/lrn/lrn.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe {

namespace {

using nlohmann::json;
using test::Numbers;

Pair pair_of(const json& v) { return {v[0].get<int64_t>(), v[1].get<int64_t>()}; }
Shape shape_of(const json& v) { return Shape(v.get<std::vector<int64_t>>()); }

OpPtr op_of(const json& c) {
  if (c["op"] == "max_pool2d")
    return max_pool2d({.kernel = pair_of(c["kernel"]),
                       .stride = pair_of(c["stride"]),
                       .padding = pair_of(c["padding"]),
                       .dilation = pair_of(c["dilation"]),
                       .ceil_mode = c["ceil_mode"]});
  if (c["op"] == "avg_pool2d") {
    AvgPool2d a{.kernel = pair_of(c["kernel"]),
                .stride = pair_of(c["stride"]),
                .padding = pair_of(c["padding"]),
                .ceil_mode = c["ceil_mode"],
                .count_include_pad = c["count_include_pad"]};
    if (c["divisor"] != 0) a.divisor = c["divisor"].get<int64_t>();
    return avg_pool2d(a);
  }
  if (c["op"] == "adaptive_avg_pool2d") return adaptive_avg_pool2d(pair_of(c["output_size"]));
  if (c["op"] == "lrn") return lrn({.size = c["size"], .alpha = c["alpha"], .beta = c["beta"], .k = c["k"]});
  if (c["op"] == "batch_norm_training") return batch_norm_training({.eps = c["eps"]});
  REQUIRE(c["op"] == "batch_norm");
  return batch_norm({.eps = c["eps"]});
}

// The oracle's formulas for its operands.
Numbers numbers(int64_t count, const std::function<int64_t(int64_t)>& element, double scale) {
  Numbers v;
  for (int64_t i = 0; i < count; ++i) v.push_back(static_cast<double>(element(i)) * scale);
  return v;
}

void check_close(const json& expected, const Numbers& got) {
  REQUIRE(got.size() == expected.size());
  double largest = 0;
  for (const double e : expected) largest = std::max(largest, std::fabs(e));
  // A sum of at most 49 terms and a few operations on it, by either program: 100 roundings, relative to the
  // largest number that enters or leaves (inputs and parameters stay below 14, dL/dy below 4).
  const double bound = 100 * 0x1p-53 * std::max(largest, 14.0 * 4);
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(std::fabs(got[i] - expected[i].get<double>()) <= bound);
  }
}

void check_case(const json& c) {
  const OpPtr op = op_of(c);
  const Shape input = shape_of(c["input"]);
  if (c.contains("refused")) {
    CHECK_THROWS_AS(test::infer(op, {input}), UsageError);
    return;
  }
  const int64_t channels = input[1];
  test::Operands o{.shapes = {input}, .given = 1};
  o.inputs.push_back(numbers(
      input.numel(), [](int64_t i) { return (37 * i * i + 11 * i) % 23 - 9; }, 1));
  for (const ParameterSpec& p : op->parameters(o.shapes)) {
    const auto at = static_cast<int64_t>(o.inputs.size()) - 1;
    o.inputs.push_back(numbers(
        channels, [=](int64_t i) { return (7 * i + 3 * at) % 5 + 1; }, 0.25));
    o.shapes.push_back(p.shape);
  }
  const Shape out = op->shape(o.shapes);
  CHECK(out == shape_of(c["shape"]));
  if (out != shape_of(c["shape"])) return;
  o.grad_output = numbers(
      out.numel(), [](int64_t i) { return (13 * i * i + 5 * i) % 7 - 3; }, 1);

  const test::Result y = test::call(*op, Direction::forward, {}, o);
  check_close(c["output"], y.value.numbers());
  if (c.contains("running_mean")) {
    const Numbers record = y.record->numbers();
    const auto middle = record.begin() + channels;
    const double m = static_cast<double>(out.numel()) / static_cast<double>(channels);
    check_close(c["running_mean"], {record.begin(), middle});
    Numbers unbiased(middle, middle + channels);
    for (double& v : unbiased) v *= m / (m - 1);
    check_close(c["running_var"], unbiased);
  }
  o.record = y.record;
  for (const auto& [name, direction] :
       {std::pair{"gradient", Direction::vjp_input}, std::pair{"gradient_weight", Direction::vjp_weight},
        std::pair{"gradient_bias", Direction::vjp_bias}})
    if (c.contains(name)) check_close(c[name], test::call(*op, direction, {}, o).value.numbers());
}

}  // namespace

TEST_CASE("ref gives PyTorch's sizes, outputs and gradients") {
  const json cases = json::parse(std::ifstream(LOUPE_SOURCE_DIR "/tests/golden/pools.json"));
  REQUIRE(cases.size() == 112);
  for (json c : cases) {
    json shown = c;
    for (const char* bulk : {"output", "gradient"}) shown.erase(bulk);
    CAPTURE(shown.dump());
    check_case(c);
  }
}

}  // namespace loupe
