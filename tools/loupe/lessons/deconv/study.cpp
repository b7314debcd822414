#include "tools/loupe/lessons/deconv/study.h"

#include <algorithm>
#include <cmath>

#include "engine/run/apply.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/matmul/matmul.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/max_unpool2d/max_unpool2d.h"
#include "kernels/pad/pad.h"
#include "kernels/transpose/transpose.h"

namespace loupe {
namespace {

Tensor zeros(Shape shape) { return Tensor::zeros(Dtype::f64, shape); }

Tensor run(Device device, const OpPtr& op, const std::vector<Tensor>& inputs,
           const std::vector<Tensor>& weights = {}) {
  return apply(device, op, inputs, weights).output.to(Dtype::f64);
}

Tensor as_row(const Tensor& t) { return t.reshape({1, 1, 1, t.numel()}); }
Tensor as_list(const Tensor& t) { return t.reshape({t.numel()}); }

// The last dimension backwards.
Tensor flipped(const Tensor& t) {
  Tensor out = t.clone();
  const int64_t size = t.shape().back();
  const auto values = out.values<double>();
  for (size_t i = 0; i < values.size(); i += static_cast<size_t>(size))
    std::ranges::reverse(values.subspan(i, static_cast<size_t>(size)));
  return out;
}

// Of a matrix: itself, or its transpose, times a vector.
Tensor times(Device device, const Tensor& matrix, const Tensor& vector, bool transposed = false) {
  const Shape& s = matrix.shape();
  return as_list(run(device, matmul({.transpose_a = transposed}),
                     {matrix.reshape({1, s[0], s[1]}), vector.reshape({1, vector.numel(), 1})}));
}

// Every unit vector (count, 1, height, width).
Tensor units(int64_t height, int64_t width) {
  const int64_t count = height * width;
  Tensor all = zeros({count, 1, height, width});
  for (int64_t i = 0; i < count; ++i) all.values<double>()[static_cast<size_t>(i * count + i)] = 1;
  return all;
}

// The matrix of a linear function, whose columns are what it makes of unit vectors.
Tensor from_columns(Device device, const Tensor& columns) {
  const int64_t count = columns.shape()[0], rows = columns.numel() / count;
  return run(device, transpose({0, 2, 1}), {columns.reshape({1, count, rows})}).reshape({rows, count});
}

// Values `stride` apart with zeros between them: unpooling where every switch is 0.
Tensor stretched(Device device, const Tensor& y, Pair stride) {
  const Shape& s = y.shape();
  const MaxUnpool2d unpool{.kernel = stride,
                           .output = {(s[2] - 1) * stride.h + 1, (s[3] - 1) * stride.w + 1}};
  return run(device, max_unpool2d(unpool), {y, Tensor::zeros(Dtype::u8, s)});
}

}  // namespace

DeconvStudy study_deconv(const DeconvSizes& sizes, const Tensor& filter, const Tensor& x, Device device) {
  const auto [n, f, s, p] = sizes;
  const int64_t outputs = sizes.outputs(), m = sizes.padded(), taps = sizes.phase_taps();
  const Tensor weight = as_row(filter);
  const auto conv = [&](int64_t stride, int64_t padding) {
    return conv2d(
        {.out_channels = 1, .kernel = {1, f}, .stride = {1, stride}, .padding = {0, padding}, .bias = false});
  };
  const auto transposed = [&](int64_t padding) {
    return conv_transpose2d({.out_channels = 1,
                             .kernel = {1, f},
                             .stride = {1, s},
                             .padding = {0, padding},
                             .output_padding = {0, sizes.unseen()},
                             .bias = false});
  };
  DeconvStudy r{.sizes = sizes, .filter = filter, .x = x};
  r.padded = as_list(run(device, pad({.sides = {{-1, p, p}}}), {as_row(x)}));
  r.matrix = from_columns(device, run(device, conv(s, 0), {units(1, m)}, {weight}));
  r.y = as_list(run(device, conv(s, p), {as_row(x)}, {weight}));
  r.y_matrix = times(device, r.matrix, r.padded);

  r.back_matrix = times(device, r.matrix, r.y, true);
  r.back = as_list(run(device, transposed(0), {as_row(r.y)}, {weight}));
  r.cropped = as_list(run(device, transposed(p), {as_row(r.y)}, {weight}));

  r.stretched = run(device, pad({.sides = {{-1, f - 1, f - 1 + sizes.unseen()}}}),
                    {stretched(device, as_row(r.y), {1, s})});
  r.flipped = flipped(filter);
  r.sub_pixel = as_list(run(device, conv(1, 0), {r.stretched}, {as_row(r.flipped)}));
  r.stretched = as_list(r.stretched);

  r.phases = zeros({s, taps});
  for (int64_t i = 0; i < f; ++i)
    r.phases.values<double>()[static_cast<size_t>((i % s) * taps + i / s)] = filter.item(i);
  r.phases = flipped(r.phases);
  r.phase_outputs =
      run(device, conv2d({.out_channels = s, .kernel = {1, taps}, .padding = {0, taps - 1}, .bias = false}),
          {as_row(r.y)}, {r.phases.reshape({s, 1, 1, taps})})
          .reshape({s, outputs + taps - 1});
  const Tensor mixed =
      run(device, transpose({0, 2, 1}), {r.phase_outputs.reshape({1, s, outputs + taps - 1})});
  r.interleaved = zeros({m});  // behind the last tap of the last place there is nothing
  for (int64_t i = 0; i < std::min(m, mixed.numel()); ++i)
    r.interleaved.values<double>()[static_cast<size_t>(i)] = mixed.item(i);

  const Tensor w = r.matrix.reshape({1, outputs, m});
  r.gram = run(device, matmul({.transpose_b = true}), {w, w}).reshape({outputs, outputs});
  const Tensor projection = run(device, matmul({.transpose_a = true}), {w, w});
  r.projected_twice = run(device, matmul(), {projection, projection}).reshape({m, m});
  r.projection = projection.reshape({m, m});
  r.again = times(device, r.matrix, r.back);
  return r;
}

DeconvPicture study_picture(const DeconvSizes& sizes, const Tensor& filter, Device device) {
  const auto [n, f, s, p] = sizes;
  const int64_t outputs = sizes.outputs(), m = sizes.padded();
  DeconvPicture r{.filter = zeros({f, f}), .x = zeros({n, n})};
  for (int64_t i = 0; i < f * f; ++i)
    r.filter.values<double>()[static_cast<size_t>(i)] = filter.item((i / f + i % f) % f);
  for (int64_t i = 0; i < n * n; ++i)
    r.x.values<double>()[static_cast<size_t>(i)] =
        static_cast<double>((7 * (i / n) + 3 * (i % n) + (i / n) * (i % n)) % 10);
  const Tensor weight = r.filter.reshape({1, 1, f, f}), back_to_front = flipped(as_list(r.filter));
  const auto conv = [&](int64_t stride) {
    return conv2d({.out_channels = 1, .kernel = f, .stride = stride, .bias = false});
  };
  const Tensor padded = run(device, pad({.sides = {{2, p, p}, {3, p, p}}}), {r.x.reshape({1, 1, n, n})});
  r.y = run(device, conv(s), {padded}, {weight}).reshape({outputs, outputs});
  const Tensor matrix = from_columns(device, run(device, conv(s), {units(m, m)}, {weight}));
  r.rows = matrix.shape()[0];
  r.columns = matrix.shape()[1];
  r.y_matrix = times(device, matrix, as_list(padded)).reshape({outputs, outputs});
  r.back_matrix = times(device, matrix, as_list(r.y), true).reshape({m, m});
  const Tensor y = r.y.reshape({1, 1, outputs, outputs});
  r.back =
      run(device,
          conv_transpose2d(
              {.out_channels = 1, .kernel = f, .stride = s, .output_padding = sizes.unseen(), .bias = false}),
          {y}, {weight})
          .reshape({m, m});
  const int64_t before = f - 1, after = f - 1 + sizes.unseen();
  const Tensor spread =
      run(device, pad({.sides = {{2, before, after}, {3, before, after}}}), {stretched(device, y, s)});
  r.sub_pixel = run(device, conv(1), {spread}, {back_to_front.reshape({1, 1, f, f})}).reshape({m, m});
  return r;
}

UnpoolStudy study_unpooling(Device device) {
  const Tensor x =
      Tensor::from(std::vector<double>{1, 3, 2, 0, 5, 2, 1, 4, 0, 1, 6, 2, 2, 0, 3, 1}, {1, 1, 4, 4});
  const OpPtr pool = max_pool2d({.kernel = 2}), unpool = max_unpool2d({.kernel = 2, .output = 4});
  const Applied pooled = apply(device, pool, {x});
  const Tensor by_switches = run(device, unpool, {pooled.output, pooled.record});
  UnpoolStudy r{.x = x.reshape({4, 4}),
                .pooled = pooled.output.to(Dtype::f64).reshape({2, 2}),
                .switches = pooled.record.reshape({2, 2}),
                .by_switches = by_switches.reshape({4, 4})};
  r.regular = run(device, unpool, {pooled.output, Tensor::zeros(Dtype::u8, {1, 1, 2, 2})}).reshape({4, 4});
  r.pooled_again = run(device, pool, {by_switches}).reshape({2, 2});
  return r;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (int64_t i = 0; i < a.numel(); ++i) largest = std::max(largest, std::abs(a.item(i) - b.item(i)));
  return largest;
}

}  // namespace loupe
