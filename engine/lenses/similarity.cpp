#include "engine/lenses/similarity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/parallel.h"
#include "kernels/matmul/product.h"

namespace loupe {
namespace {

constexpr int64_t kColumns = 4096;  // of a block of scores

// Rows [0, m) of a (…, k) by rows [0, n) of b (…, k).
Product product_of(int64_t m, int64_t n, int64_t k) {
  return {.m = m, .n = n, .k = k, .a = {.row = k, .col = 1}, .b = {.row = 1, .col = k}};
}

// Rows of `from` with one more number each.
template <typename Last>
Tensor extended(const Tensor& from, const Last& last) {
  const int64_t n = from.shape()[0], dims = from.shape()[1];
  Tensor to(Dtype::f32, {n, dims + 1});
  const auto values = to.values<float>();
  parallel_for(n, [&](int64_t i) {
    std::ranges::copy(row_of(from, i), values.begin() + i * (dims + 1));
    values[static_cast<size_t>(i * (dims + 1) + dims)] = last(i);
  });
  return to;
}

}  // namespace

Similarity::Similarity(const Tensor& x, Metric metric) : metric_(metric), x_(x) {
  const int64_t n = size(), dims = x.shape()[1];
  const bool cosine = metric == Metric::cosine;
  const Tensor rows = cosine ? unit_rows(x) : centred_rows(x);
  for (auto* of : {&half_, &lengths_}) of->resize(static_cast<size_t>(n));
  parallel_for(n, [&](int64_t i) {
    half_[static_cast<size_t>(i)] = cosine ? 0 : dot(row_of(rows, i), row_of(rows, i)) / 2;
    lengths_[static_cast<size_t>(i)] = std::sqrt(dot(row_of(x, i), row_of(x, i)));
  });
  prepared_ = extended(rows, [](int64_t) { return 1.0f; });
  const Tensor columns =
      extended(rows, [&](int64_t i) { return static_cast<float>(-half_[static_cast<size_t>(i)]); });
  const Product whole = product_of(1, n, dims + 1);
  packed_.resize(static_cast<size_t>(cpu::packed_floats(whole)));
  cpu::pack(whole, columns.values<const float>().data(), packed_.data());
  block_.resize(static_cast<size_t>(kRows * std::min(n, kColumns)));
  workspace_.resize(
      static_cast<size_t>(cpu::product_workspace(product_of(kRows, std::min(n, kColumns), dims + 1), true)));
  // With u = 2⁻²⁴, lengths a of the row and b of the longest: a chain of D + 1 fused multiply-adds is off by no more
  // than (D + 1)·u·(ab + b²/2); what is in it was rounded once, and stands in for the distance of the vectors as they
  // were, which moves by no more than u·(a + b) on that account.
  constexpr double kUnit = 0x1p-24;
  double longest = 0;
  for (const double h : half_) longest = std::max(longest, std::sqrt(2 * h));
  bounds_.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const double both = cosine ? 2 : std::sqrt(2 * half_[static_cast<size_t>(i)]) + longest;
    bounds_[static_cast<size_t>(i)] =
        static_cast<float>(static_cast<double>(dims + 16) * kUnit * both * both / 2);
  }
}

void Similarity::scores(int64_t begin, int64_t end, const Take& take) {
  const int64_t n = size(), depth = prepared_.shape()[1];
  const float* a = prepared_.values<const float>().data();
  for (int64_t row = begin; row < end; row += kRows) {
    const int64_t rows = std::min(kRows, end - row);
    for (int64_t column = 0; column < n; column += kColumns) {
      const int64_t columns = std::min(kColumns, n - column);
      cpu::product(product_of(rows, columns, depth), a + row * depth, packed_.data() + column * depth, true,
                   {}, block_.data(), workspace_);
      parallel_for(rows, [&](int64_t i) {
        float* scores = block_.data() + i * columns;
        if (const int64_t self = row + i - column; self >= 0 && self < columns)
          scores[self] = -std::numeric_limits<float>::infinity();
        take(row + i, column, {scores, static_cast<size_t>(columns)});
      });
    }
  }
}

double Similarity::score(int64_t i, int64_t j) const {
  const size_t dims = static_cast<size_t>(prepared_.shape()[1]) - 1;
  return dot(row_of(prepared_, i).first(dims), row_of(prepared_, j).first(dims)) -
         half_[static_cast<size_t>(j)];
}

double Similarity::distance(int64_t i, int64_t j) const {
  return distance(i, row_of(x_, j), lengths_[static_cast<size_t>(j)]);
}

double Similarity::distance(int64_t i, std::span<const float> to, double length) const {
  if (metric_ == Metric::euclidean) return squared_distance(row_of(x_, i), to);
  const double both = lengths_[static_cast<size_t>(i)] * length;
  return both > 0 ? 1 - dot(row_of(x_, i), to) / both : 1;
}

}  // namespace loupe
