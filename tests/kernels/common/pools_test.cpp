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

namespace loupe {

namespace {

using nlohmann::json;
using Numbers = std::vector<double>;

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
  const std::vector<Shape> shapes{shape_of(c["input"])};
  if (c.contains("refused")) {
    CHECK_THROWS_AS(op->infer(shapes), UsageError);
    return;
  }
  const Shape out = op->infer(shapes);
  CHECK(out == shape_of(c["shape"]));
  if (out != shape_of(c["shape"])) return;

  const int64_t channels = shapes[0][1];
  Numbers x = numbers(
      shapes[0].numel(), [](int64_t i) { return (37 * i * i + 11 * i) % 23 - 9; }, 1);
  Numbers g = numbers(
      out.numel(), [](int64_t i) { return (13 * i * i + 5 * i) % 7 - 3; }, 1);
  Numbers y(g.size()), gx(x.size()), g_parameter(static_cast<size_t>(channels));
  const auto record = op->saved(shapes).value_or(Saved{Dtype::u8, out});
  const Dtype record_type = record.dtype == Dtype::f32 ? Dtype::f64 : record.dtype;  // ref's numbers
  Numbers saved(y.size());                                                           // room for any record
  std::vector<std::byte> workspace(
      static_cast<size_t>(op->workspace_bytes(Backend::ref, Direction::forward, shapes)));
  std::vector<Numbers> parameters;
  std::vector<Array> parameter_arrays;
  for (int64_t p = 0; p < std::ssize(op->parameters(shapes)); ++p)
    parameters.push_back(numbers(
        channels, [=](int64_t i) { return (7 * i + 3 * p) % 5 + 1; }, 0.25));
  for (Numbers& p : parameters)
    parameter_arrays.push_back({p.data(), Dtype::f64, {channels}, Layout::planar});
  const std::vector<Array> inputs{{x.data(), Dtype::f64, shapes[0], Layout::planar}};

  Arguments a;
  a.inputs = inputs;
  a.parameters = parameter_arrays;
  a.output = {y.data(), Dtype::f64, out, Layout::planar};
  a.saved = {saved.data(), record_type, record.shape, Layout::planar};
  a.workspace = workspace;
  op->kind().kernel(Backend::ref, Direction::forward)(*op, a);
  check_close(c["output"], y);
  if (c.contains("running_mean")) {
    const auto middle = saved.begin() + channels;
    const double m = static_cast<double>(out.numel()) / static_cast<double>(channels);
    check_close(c["running_mean"], {saved.begin(), middle});
    Numbers unbiased(middle, middle + channels);
    for (double& v : unbiased) v *= m / (m - 1);
    check_close(c["running_var"], unbiased);
  }

  a.grad_output = {g.data(), Dtype::f64, out, Layout::planar};
  a.grad = {gx.data(), Dtype::f64, shapes[0], Layout::planar};
  op->kind().kernel(Backend::ref, Direction::vjp_input)(*op, a);
  check_close(c["gradient"], gx);

  a.grad = {g_parameter.data(), Dtype::f64, {channels}, Layout::planar};
  for (const auto& [name, direction] : {std::pair{"gradient_weight", Direction::vjp_weight},
                                        std::pair{"gradient_bias", Direction::vjp_bias}}) {
    if (!c.contains(name)) continue;
    op->kind().kernel(Backend::ref, direction)(*op, a);
    check_close(c[name], g_parameter);
  }
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
