#include "kernels/batch_norm_training/batch_norm_training.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "tests/support/device.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

double eps_of(const Op& op) { return std::stod(op.describe().substr(std::string("eps ").size())); }

// Calls each(channel, i) for the elements i of every channel.
template <typename Each>
void for_each(const Shape& shape, const Each& each) {
  const Nchw s = Nchw::of(shape);
  for (int64_t i = 0; i < shape.numel(); ++i)
    each(static_cast<size_t>(i / (s.h * s.w) % s.c), static_cast<size_t>(i));
}

// The magnitudes of mean and variance: |x|, and 3·(|x| + mean of |x|)², each on average. The factor of 3: the
// cpu puts the variance together from pieces, each around its own rounded mean, which brings in
// 2·|its mean − mean|·(its mean's error), at most 2·(mean of x² + (mean of |x|)²) of what one sum is off by.
Numbers record_magnitude(const Operands& o) {
  const auto c = static_cast<size_t>(o.shapes[0][1]);
  const double m = static_cast<double>(o.shapes[0].numel()) / static_cast<double>(c);
  Numbers r(2 * c);
  for_each(o.shapes[0], [&](size_t k, size_t i) { r[k] += std::fabs(o.inputs[0][i]) / m; });
  for_each(o.shapes[0], [&](size_t k, size_t i) {
    const double term = std::fabs(o.inputs[0][i]) + r[k];
    r[c + k] += 3 * term * term / m;
  });
  return r;
}

// forward: errors of the mean, and of the variance, half of which is the root's. The vjps start from given
// statistics.
Numbers magnitude(const OpCase& test, Direction direction, const Operands& o) {
  const Shape& shape = o.shapes[0];
  const auto c = static_cast<size_t>(shape[1]);
  const double m = static_cast<double>(shape.numel()) / static_cast<double>(c), eps = eps_of(*test.op);
  const Numbers &x = o.inputs[0], &weight = o.inputs[1], &bias = o.inputs[2], record = o.record->numbers();
  Numbers deviation(c), g_weight(c), g_bias(c), result(x.size());
  for (size_t k = 0; k < c; ++k) deviation[k] = std::sqrt(record[c + k] + eps);
  if (direction == Direction::forward) {
    const Numbers sizes = record_magnitude(o);
    for_each(shape, [&](size_t k, size_t i) {
      result[i] = std::fabs(weight[k]) / deviation[k] * (std::fabs(x[i]) + sizes[k]) *
                      (1 + sizes[c + k] / (2 * deviation[k] * deviation[k])) +
                  std::fabs(bias[k]);
    });
    return result;
  }
  const auto normalised = [&](size_t k, size_t i) {
    return (std::fabs(x[i]) + std::fabs(record[k])) / deviation[k];
  };
  for_each(shape, [&](size_t k, size_t i) {
    g_bias[k] += std::fabs(o.grad_output[i]);
    g_weight[k] += std::fabs(o.grad_output[i]) * normalised(k, i);
  });
  if (direction == Direction::vjp_bias) return g_bias;
  if (direction == Direction::vjp_weight) return g_weight;
  for_each(shape, [&](size_t k, size_t i) {
    result[i] = std::fabs(weight[k]) / deviation[k] *
                (std::fabs(o.grad_output[i]) + g_bias[k] / m + normalised(k, i) * g_weight[k] / m);
  });
  return result;
}

}  // namespace

extern const OpSuite batch_norm_training_suite{
    .cases =
        {
            {"one channel", batch_norm_training(), {{2, 1, 5, 3}}},
            {"3 channels", batch_norm_training(), {{3, 3, 5, 4}}},
            {"far from zero", batch_norm_training(), {{2, 4, 5, 5}}, {Draw::positive}},
            {"one block, one image", batch_norm_training(), {{1, 16, 3, 7}}},
            {"17 channels, large eps", batch_norm_training({.eps = 0.5}), {{3, 17, 4, 3}}},
            {"40 channels, no eps", batch_norm_training({.eps = 0}), {{2, 40, 6, 5}}},
            {"1×1 map", batch_norm_training({.eps = 0.25}), {{5, 40, 1, 1}}},
            {"vectors (N, C)", batch_norm_training({.eps = 0.25}), {{6, 17}}},
            {"one pixel a channel", batch_norm_training({.eps = 0.5}), {{1, 18}}},
            {"lines and what is left of one", batch_norm_training(), {{2, 2, 15, 13}}},
            {"a map of two pieces", batch_norm_training(), {{1, 1, 65, 64}}},
            {"sums in parts: two an image", batch_norm_training(), {{2, 2, 41, 41}}},
            {"sums in parts: one for five images", batch_norm_training(), {{7, 2, 9, 23}}},
        },
    .rejections =
        {
            {"no images",
             [] {
               infer(batch_norm_training(), {{0, 3, 4, 4}});
             },
             "(0, 3, 4, 4)"},
            {"of rank 3",
             [] {
               infer(batch_norm_training(), {{1, 3, 4}});
             },
             "(1, 3, 4)"},
            {"negative eps",
             [] {
               infer(batch_norm_training({.eps = -1e-5}), {{1, 3, 4, 4}});
             },
             "eps must be 0 or more"},
        },
    // Roundings beside the sums, of which the bound has 4 already. The most are in the vjp to the input on a
    // device: x − mean, the product, the two quotients and variance + eps in the slope; x − mean again, its
    // product and two differences; variance + eps, its root, the quotient and the product of the scale: 13.
    // (A sum in parts is divided part by part: still one quotient on the way of each term.)
    .function_ulps = 5,
    .magnitude = magnitude,
    .record_magnitude = record_magnitude,
    .mixes_images = true,
};

TEST_CASE("batch_norm_training: the statistics of two numbers, by hand") {
  // 4095 and 4097 alternate: mean 4096, variance 1, and squares that float32 cannot hold.
  Operands o{.shapes = {{2, 1, 3, 4}, {1}, {1}, {1}, {1}}, .inputs = {{}, {2}, {0.5}, {7}, {7}}};
  Numbers& x = o.inputs[0];
  for (int i = 0; i < 24; ++i) x.push_back(i % 2 ? 4097 : 4095);
  for (const Backend backend : host_and_simulator()) {
    const How how{.backend = backend, .dtype = Dtype::f32};
    const Result r = call(*batch_norm_training({.eps = 0}), Direction::forward, how, o);
    CHECK(r.record->numbers() == Numbers{4096, 1});
    for (size_t i = 0; i < 24; ++i) CHECK(r.value.numbers()[i] == (i % 2 ? 2.5 : -1.5));
  }
}

}  // namespace loupe::test
