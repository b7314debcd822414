// Winograd's convolutions under all checks of an op (tests/support/op_checks.h), against ref's direct sums.
// Only the bound differs: terms of a tile's other outputs enter and cancel again, so M of an output is
//
//   |Aᵀ| [Σ_c (|G||g||Gᵀ|) ⊙ (|Bᵀ||d||B|)] |A|,   of a weight |Gᵀ| [Σ_tiles (|A||gy||Aᵀ|) ⊙ (|Bᵀ||d||B|)] |G|,
//
// computed here from the absolute matrices. Every step is a linear form whose terms do not cancel among
// themselves, so these bound its roundings as Σ|aᵢbᵢ| bounds those of a sum.
#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "kernels/conv2d/conv2d.h"
#include "tests/support/op_call.h"
#include "tests/support/op_checks.h"

namespace loupe::test {

namespace {

template <size_t kRows, size_t kCols>
using Matrix = std::array<std::array<double, kCols>, kRows>;

constexpr Matrix<6, 6> kB = {{{4, 0, 5, 0, 1, 0},
                              {0, 4, 4, 1, 1, 0},
                              {0, 4, 4, 1, 1, 0},
                              {0, 2, 1, 2, 1, 0},
                              {0, 2, 1, 2, 1, 0},
                              {0, 4, 0, 5, 0, 1}}};
constexpr Matrix<6, 3> kG = {{{1.0 / 4, 0, 0},
                              {1.0 / 6, 1.0 / 6, 1.0 / 6},
                              {1.0 / 6, 1.0 / 6, 1.0 / 6},
                              {1.0 / 24, 1.0 / 12, 1.0 / 6},
                              {1.0 / 24, 1.0 / 12, 1.0 / 6},
                              {0, 0, 1}}};
constexpr Matrix<6, 4> kA = {
    {{1, 0, 0, 0}, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 2, 4, 8}, {1, 2, 4, 8}, {0, 0, 0, 1}}};

// t m tᵀ, and tᵀ m t.
template <size_t kRows, size_t kCols>
Matrix<kRows, kRows> there(const Matrix<kRows, kCols>& t, const Matrix<kCols, kCols>& m) {
  Matrix<kRows, kRows> r{};
  for (size_t p = 0; p < kRows; ++p)
    for (size_t q = 0; q < kRows; ++q)
      for (size_t i = 0; i < kCols; ++i)
        for (size_t j = 0; j < kCols; ++j) r[p][q] += t[p][i] * m[i][j] * t[q][j];
  return r;
}
template <size_t kRows, size_t kCols>
Matrix<kCols, kCols> back(const Matrix<kRows, kCols>& t, const Matrix<kRows, kRows>& m) {
  Matrix<kCols, kCols> r{};
  for (size_t i = 0; i < kCols; ++i)
    for (size_t j = 0; j < kCols; ++j)
      for (size_t p = 0; p < kRows; ++p)
        for (size_t q = 0; q < kRows; ++q) r[i][j] += t[p][i] * m[p][q] * t[q][j];
  return r;
}
void add_product(Matrix<6, 6>& sum, const Matrix<6, 6>& a, const Matrix<6, 6>& b) {
  for (size_t p = 0; p < 6; ++p)
    for (size_t q = 0; q < 6; ++q) sum[p][q] += a[p][q] * b[p][q];
}

// Magnitudes of a map's square at (row, col), zero outside.
template <size_t kSize>
Matrix<kSize, kSize> square(const Numbers& x, const Nchw& s, int64_t n, int64_t c, int64_t row, int64_t col) {
  Matrix<kSize, kSize> m{};
  for (int64_t r = 0; r < int64_t{kSize}; ++r)
    for (int64_t q = 0; q < int64_t{kSize}; ++q)
      if (row + r >= 0 && row + r < s.h && col + q >= 0 && col + q < s.w)
        m[static_cast<size_t>(r)][static_cast<size_t>(q)] =
            std::fabs(x[static_cast<size_t>(((n * s.c + c) * s.h + row + r) * s.w + col + q)]);
  return m;
}

template <typename Each>
void for_each_tile(const Nchw& out, const Each& each) {
  for (int64_t n = 0; n < out.n; ++n)
    for (int64_t row = 0; row < out.h; row += 4)
      for (int64_t col = 0; col < out.w; col += 4) each(n, row, col);
}

struct Layer {
  Conv2d config;
  Nchw x, y;

  // Of forward, or with `backwards` of vjp_input.
  Numbers of_maps(const Numbers& from, const Numbers& weight, const Numbers& bias, bool backwards) const {
    const Nchw &in = backwards ? y : x, &out = backwards ? x : y;
    const Pair pad = backwards ? Pair{2 - config.padding.h, 2 - config.padding.w} : config.padding;
    std::vector<Matrix<6, 6>> kernels;
    for (int64_t k = 0; k < y.c; ++k)
      for (int64_t c = 0; c < x.c; ++c) {
        Numbers turned(weight.begin() + (k * x.c + c) * 9, weight.begin() + (k * x.c + c + 1) * 9);
        if (backwards) turned = Numbers(turned.rbegin(), turned.rend());
        Matrix<3, 3> g{};
        for (size_t i = 0; i < 9; ++i) g[i / 3][i % 3] = std::fabs(turned[i]);
        kernels.push_back(there(kG, g));
      }
    Numbers m(static_cast<size_t>(out.n * out.c * out.h * out.w));
    for_each_tile(out, [&](int64_t n, int64_t row, int64_t col) {
      std::vector<Matrix<6, 6>> inputs;
      for (int64_t i = 0; i < in.c; ++i)
        inputs.push_back(there(kB, square<6>(from, in, n, i, row - pad.h, col - pad.w)));
      for (int64_t o = 0; o < out.c; ++o) {
        Matrix<6, 6> sum{};
        for (int64_t i = 0; i < in.c; ++i)
          add_product(sum, inputs[static_cast<size_t>(i)],
                      kernels[static_cast<size_t>(backwards ? i * x.c + o : o * x.c + i)]);
        const Matrix<4, 4> tile = back(kA, sum);
        for (int64_t r = row; r < std::min(out.h, row + 4); ++r)
          for (int64_t q = col; q < std::min(out.w, col + 4); ++q)
            m[static_cast<size_t>(((n * out.c + o) * out.h + r) * out.w + q)] =
                tile[static_cast<size_t>(r - row)][static_cast<size_t>(q - col)] +
                (bias.empty() ? 0 : std::fabs(bias[static_cast<size_t>(o)]));
      }
    });
    return m;
  }

  Numbers of_weight(const Numbers& inputs, const Numbers& gradients) const {
    std::vector<Matrix<6, 6>> sums(static_cast<size_t>(y.c * x.c));
    for_each_tile(y, [&](int64_t n, int64_t row, int64_t col) {
      for (int64_t c = 0; c < x.c; ++c) {
        const auto d = there(kB, square<6>(inputs, x, n, c, row - config.padding.h, col - config.padding.w));
        for (int64_t k = 0; k < y.c; ++k)
          add_product(sums[static_cast<size_t>(k * x.c + c)], d,
                      there(kA, square<4>(gradients, y, n, k, row, col)));
      }
    });
    Numbers m;
    for (const Matrix<6, 6>& sum : sums)
      for (const auto& row : back(kG, sum)) m.insert(m.end(), row.begin(), row.end());
    return m;
  }
};

OpCase maps(std::string name, Shape input, Conv2d config) {
  return {std::move(name), conv2d(config), {input}};
}

// The configuration of a case, read back from its shapes.
Layer layer_of(const OpCase& test, const Operands& o) {
  const Nchw x = Nchw::of(o.shapes[0]), y = Nchw::of(test.op->shape(o.shapes));
  return {{.out_channels = y.c, .kernel = 3, .padding = {(y.h - x.h + 2) / 2, (y.w - x.w + 2) / 2}}, x, y};
}

Numbers magnitude(const OpCase& test, Direction direction, const Operands& o) {
  const Layer layer = layer_of(test, o);
  const Numbers none, &bias = o.inputs.size() > 2 ? o.inputs[2] : none;
  if (direction.is_forward()) return layer.of_maps(o.inputs[0], o.inputs[1], bias, false);
  if (direction == Direction::vjp_input) return layer.of_maps(o.grad_output, o.inputs[1], none, true);
  if (direction == Direction::vjp_weight) return layer.of_weight(o.inputs[0], o.grad_output);
  return {};
}

const OpSuite suite{
    .cases =
        {
            maps("one tile", {1, 16, 4, 4}, {.out_channels = 16, .kernel = 3, .padding = 1}),
            maps("part of a tile", {2, 16, 3, 2}, {.out_channels = 16, .kernel = 3, .padding = 1}),
            maps("the zoo's volume", {3, 32, 13, 13},
                 {.out_channels = 48, .kernel = 3, .padding = 1, .bias = false}),
            maps("no padding", {2, 32, 30, 9}, {.out_channels = 16, .kernel = 3}),
            maps("padding 2", {1, 16, 5, 6}, {.out_channels = 32, .kernel = 3, .padding = 2}),
            maps("padding 0 and 2", {1, 16, 5, 6}, {.out_channels = 16, .kernel = 3, .padding = {0, 2}}),
            maps("parts of blocks", {2, 19, 9, 11}, {.out_channels = 37, .kernel = 3, .padding = 1}),
            maps("tiles of more than one stretch", {1, 16, 46, 46},
                 {.out_channels = 16, .kernel = 3, .padding = 1}),
        },
    .rejections = {},
    // Roundings beside the sum over channels or tiles, in both dimensions: 6 of the inputs' transform, 8 of
    // the kernel's, 6 of the outputs' and 1 of the bias; of vjp_weight 6, 6 and 16.
    .function_ulps = 15,
    .magnitude = magnitude,
    .options = {.winograd = true},
};

std::string algorithm(const Op& op, Direction direction, const Shape& input) {
  std::vector<Shape> shapes{input};
  for (const ParameterSpec& p : op.parameters(shapes)) shapes.push_back(p.shape);
  return op.prepare(Backend::cpu, direction, shapes, suite.options).describe;
}

}  // namespace

TEST_CASE("conv2d by Winograd: every check of an op, with the bound of its own sums") {
  const OpCase& first = suite.cases.front();
  CHECK(algorithm(*first.op, Direction::forward, first.inputs[0]).starts_with("Winograd"));
  for (const std::string& failure : check_op(first.op->kind(), suite)) FAIL_CHECK(failure);
}

TEST_CASE("Winograd is chosen only where the method fits") {
  const auto by_winograd = [](const OpPtr& op, const Shape& input) {
    return algorithm(*op, Direction::vjp_weight, input).starts_with("Winograd");
  };
  const Shape few{1, 3, 8, 8}, many{1, 32, 8, 8};
  CHECK(by_winograd(conv2d({.out_channels = 32, .kernel = 3}), many));
  CHECK(!by_winograd(conv2d({.out_channels = 32, .kernel = 3}), few));
  CHECK(!by_winograd(conv2d({.out_channels = 32, .kernel = 3, .stride = 2}), many));
  CHECK(!by_winograd(conv2d({.out_channels = 32, .kernel = 1}), many));
  CHECK(!by_winograd(conv2d({.out_channels = 32, .kernel = 3, .groups = 2}), many));
}

}  // namespace loupe::test
