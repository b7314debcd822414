#include "engine/lenses/circuits.h"

#include <Eigen/Dense>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/common/array.h"
#include "kernels/common/parallel.h"
#include "kernels/matmul/product.h"

namespace loupe {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using View = Eigen::Map<const Matrix>;

View view(const Tensor& t) { return {t.values<const double>().data(), t.shape()[0], t.shape()[1]}; }
Tensor tensor(const Matrix& m) {
  Tensor t(Dtype::f64, {m.rows(), m.cols()});
  Eigen::Map<Matrix>(t.values<double>().data(), m.rows(), m.cols()) = m;
  return t;
}
Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> floats(
    const Tensor& t) {
  return {t.values<const float>().data(), t.shape()[0], t.shape()[1]};
}

// aᵀ b of tables (V, D), stretch by stretch of rows, whose columns threads share.
Tensor product_over_rows(const Tensor& a, const Tensor& b) {
  constexpr int64_t kRows = 2048, kColumns = 64;
  const int64_t rows = a.shape()[0], width = a.shape()[1];
  Matrix sum = Matrix::Zero(width, b.shape()[1]);
  for (int64_t r = 0; r < rows; r += kRows) {
    const int64_t count = std::min(kRows, rows - r);
    const Matrix left = floats(a).middleRows(r, count).cast<double>(),
                 right = floats(b).middleRows(r, count).cast<double>();
    parallel_for(ceil_div(width, kColumns), [&](int64_t t) {
      const int64_t c = t * kColumns, n = std::min(kColumns, width - c);
      sum.middleRows(c, n).noalias() += left.middleCols(c, n).transpose() * right;
    });
  }
  return tensor(sum);
}

// Σ Re λ / Σ |λ|
double positive_share(const Matrix& m) {
  const Eigen::VectorXcd values = Eigen::EigenSolver<Eigen::MatrixXd>(m, false).eigenvalues();
  const double all = values.cwiseAbs().sum();
  return all > 0 ? values.real().sum() / all : 0;
}

// ‖A x B‖² of x, where AᵀA and B Bᵀ are known.
double squared_norm(const Tensor& ata, const Matrix& x, const Tensor& bbt) {
  return std::max(0.0, (view(ata) * x).cwiseProduct(x * view(bbt)).sum());
}

}  // namespace

VocabularyProducts vocabulary_products(const Tensor& embedding, const Tensor& unembedding) {
  return {product_over_rows(embedding, embedding), product_over_rows(embedding, unembedding)};
}

EigenvalueScores eigenvalue_scores(const HeadFactors& head, const VocabularyProducts& tokens) {
  const View q = view(head.query), k = view(head.key), v = view(head.value), o = view(head.output);
  return {.copying = positive_share(v * o),
          .full_copying = positive_share(v * view(tokens.unembedded) * o),
          .matching = positive_share(k * view(tokens.embedded) * q.transpose())};
}

std::string_view composition_name(Composition c) {
  return c == Composition::query ? "query" : c == Composition::key ? "key" : "value";
}

Compositions::Compositions(std::vector<HeadFactors> heads) : heads_(std::move(heads)), grams_(heads_.size()) {
  parallel_for(std::ssize(heads_), [&](int64_t i) {
    const HeadFactors& h = heads_[static_cast<size_t>(i)];
    const auto gram = [](const View& m) { return tensor(m * m.transpose()); };
    Grams& g = grams_[static_cast<size_t>(i)];
    g = {gram(view(h.query)),
         gram(view(h.key)),
         gram(view(h.value)),
         tensor(view(h.output).transpose() * view(h.output)),
         0,
         0};
    // ‖qᵀ k‖² = tr(q qᵀ · k kᵀ), and ‖o v‖² = tr(oᵀ o · v vᵀ)
    g.qk = std::sqrt(view(g.query).cwiseProduct(view(g.key)).sum());
    g.ov = std::sqrt(view(g.output).cwiseProduct(view(g.value)).sum());
  });
}

double Compositions::score(Composition c, size_t from, size_t into) const {
  const HeadFactors &a = heads_[into], &b = heads_[from];
  const Grams &ga = grams_[into], &gb = grams_[from];
  const Tensor &reads = c == Composition::query ? a.query
                        : c == Composition::key ? a.key
                                                : a.value,
               &behind = c == Composition::query ? ga.key
                         : c == Composition::key ? ga.query
                                                 : ga.output;
  const double norms = (c == Composition::value ? ga.ov : ga.qk) * gb.ov;
  if (!(norms > 0)) return 0;
  return std::sqrt(squared_norm(behind, view(reads) * view(b.output), gb.value)) / norms;
}

namespace {

bool before(const TokenPair& a, const TokenPair& b) {
  return a.value != b.value ? a.value > b.value : a.from != b.from ? a.from < b.from : a.to < b.to;
}

// Keeps the `count` best of all that it is given.
class Best {
 public:
  explicit Best(int64_t count) : count_(count) {}
  void take(const TokenPair& pair) {
    if (std::ssize(all_) == count_) {
      if (!before(pair, all_.front())) return;
      std::ranges::pop_heap(all_, before), all_.pop_back();
    }
    all_.push_back(pair), std::ranges::push_heap(all_, before);
  }
  const std::vector<TokenPair>& all() const { return all_; }

 private:
  int64_t count_;
  std::vector<TokenPair> all_ = {};  // a heap whose first is the weakest
};

}  // namespace

std::vector<TokenPair> largest_pairs(const HeadFactors& head, const Tensor& embedding,
                                     const Tensor& unembedding, std::vector<int32_t> from, int64_t count) {
  constexpr int64_t kSources = 128;
  const int64_t tokens = unembedding.shape()[0], d = head.value.shape()[0];
  if (from.empty()) {
    from.resize(static_cast<size_t>(embedding.shape()[0]));
    std::iota(from.begin(), from.end(), 0);
  }
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Floats value = view(head.value).cast<float>(),
               written = floats(unembedding) * view(head.output).cast<float>();
  const auto product_of = [&](int64_t rows) {
    return Product{.m = rows, .n = tokens, .k = d, .a = {.row = d, .col = 1}, .b = {.row = 1, .col = d}};
  };
  std::vector<float> packed(static_cast<size_t>(cpu::packed_floats(product_of(kSources))));
  cpu::pack(product_of(kSources), written.data(), packed.data());
  std::vector<std::byte> workspace(static_cast<size_t>(cpu::product_workspace(product_of(kSources), true)));
  std::vector<float> block(static_cast<size_t>(kSources * tokens));
  Best best(count);
  for (int64_t i = 0; i < std::ssize(from); i += kSources) {
    const int64_t rows = std::min(kSources, std::ssize(from) - i);
    const auto source = [&](int64_t r) { return from[static_cast<size_t>(i + r)]; };
    Floats sources(rows, value.cols());
    for (int64_t r = 0; r < rows; ++r) sources.row(r) = floats(embedding).row(source(r));
    const Floats carried = sources * value.transpose();
    cpu::product(product_of(rows), carried.data(), packed.data(), true, {}, block.data(), workspace);
    std::vector<Best> of_rows(static_cast<size_t>(rows), Best(count));
    parallel_for(rows, [&](int64_t r) {
      for (int64_t t = 0; t < tokens; ++t)
        of_rows[static_cast<size_t>(r)].take(
            {source(r), static_cast<int32_t>(t),
             static_cast<double>(block[static_cast<size_t>(r * tokens + t)])});
    });
    for (const Best& row : of_rows)
      for (const TokenPair& pair : row.all()) best.take(pair);
  }
  std::vector<TokenPair> all = best.all();
  std::ranges::sort(all, before);
  return all;
}

}  // namespace loupe
