// Circuits of small heads against the matrices that they are factors of.
#include "engine/lenses/circuits.h"

#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include "kernels/common/random.h"

namespace loupe {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
constexpr int64_t kWidth = 12, kHead = 4, kTokens = 300;

Tensor random(Dtype type, int64_t rows, int64_t columns, uint64_t seed) {
  Tensor t(Dtype::f64, {rows, columns});
  for (int64_t i = 0; i < t.numel(); ++i)
    t.values<double>()[static_cast<size_t>(i)] = uniform(seed, static_cast<uint64_t>(i)) - 0.5;
  return t.to(type);
}
HeadFactors head(uint64_t seed) {
  return {random(Dtype::f64, kHead, kWidth, seed), random(Dtype::f64, kHead, kWidth, seed + 1),
          random(Dtype::f64, kHead, kWidth, seed + 2), random(Dtype::f64, kWidth, kHead, seed + 3)};
}
Matrix dense(const Tensor& t) {
  Matrix m(t.shape()[0], t.shape()[1]);
  for (int64_t i = 0; i < t.numel(); ++i) m.data()[i] = t.item(i);
  return m;
}
double positive_share(const Matrix& m) {
  const Eigen::VectorXcd values = Eigen::EigenSolver<Eigen::MatrixXd>(m, false).eigenvalues();
  return values.real().sum() / values.cwiseAbs().sum();
}

}  // namespace

TEST_CASE("eigenvalues by factors are those of the whole matrices, also through the vocabulary") {
  const Tensor e = random(Dtype::f32, kTokens, kWidth, 100), u = random(Dtype::f32, kTokens, kWidth, 101);
  const VocabularyProducts tokens = vocabulary_products(e, u);
  for (uint64_t seed = 1; seed < 40; seed += 10) {
    const HeadFactors h = head(seed);
    const EigenvalueScores s = eigenvalue_scores(h, tokens);
    const Matrix ov = dense(h.output) * dense(h.value), qk = dense(h.query).transpose() * dense(h.key);
    // |λ| of the zeros that the whole matrices have besides comes to the square root of a rounding, each.
    CHECK(s.copying == doctest::Approx(positive_share(ov)).epsilon(1e-6));
    CHECK(s.full_copying ==
          doctest::Approx(positive_share(dense(u) * ov * dense(e).transpose())).epsilon(1e-5));
    CHECK(s.matching == doctest::Approx(positive_share(dense(e) * qk * dense(e).transpose())).epsilon(1e-5));
  }
}

TEST_CASE(
    "a head that carries what it sees as it is copies, its negative does the opposite, and zeros do "
    "neither") {
  HeadFactors h = head(1);
  h.output = Tensor(Dtype::f64, {kWidth, kHead});
  const auto to = h.output.values<double>();
  for (const double sign : {1.0, -1.0, 0.0}) {
    for (int64_t r = 0; r < kWidth; ++r)
      for (int64_t c = 0; c < kHead; ++c)
        to[static_cast<size_t>(r * kHead + c)] = sign * h.value.item(c * kWidth + r);
    const Tensor e = random(Dtype::f32, kTokens, kWidth, 100);
    const EigenvalueScores s = eigenvalue_scores(h, vocabulary_products(e, e));
    CHECK(s.copying == doctest::Approx(sign));
    CHECK(s.full_copying ==
          doctest::Approx(sign).epsilon(0.2));  // EᵀE of random tokens is nearly the unit matrix
  }
}

TEST_CASE("through the vocabulary: eigenvalues that are known, and numpy's") {
  const auto matrix = [](std::vector<double> values, Shape shape, Dtype type) {
    return Tensor::from(std::span<const double>(values), shape).to(type).clone();
  };
  const auto score = [&](const std::vector<double>& value, const std::vector<double>& output, const Tensor& e,
                         const Tensor& u) {
    const HeadFactors h{Tensor::zeros(Dtype::f64, {2, 3}), Tensor::zeros(Dtype::f64, {2, 3}),
                        matrix(value, {2, 3}, Dtype::f64), matrix(output, {3, 2}, Dtype::f64)};
    const EigenvalueScores s = eigenvalue_scores(h, vocabulary_products(e, u));
    CHECK(s.matching == 0);
    return s.full_copying;
  };
  // Three tokens in a stream of three numbers, each with a direction of its own.
  const Tensor e = matrix({1, 0, 0, 0, 1, 0, 0, 0, 1}, {3, 3}, Dtype::f32);
  const std::vector<double> value{2, 0, 0, 0, 3, 0};
  CHECK(score(value, {1, 0, 0, 1, 0, 0}, e, e) == doctest::Approx(1));  // eigenvalues 2 and 3
  CHECK(score(value, {-1, 0, 0, -1, 0, 0}, e, e) == doctest::Approx(-1));
  CHECK(score(value, {1, 0, 0, -1, 0, 0}, e, e) == doctest::Approx(-0.2));  // 2 and −3
  CHECK(score(value, {0, -1, 1, 0, 0, 0}, e, e) == doctest::Approx(0));     // ±i√6
  CHECK(score(value, {0, 0, 0, 0, 1, 1}, e, e) == doctest::Approx(0));      // what is read is not written
  // numpy.linalg.eigvals(U @ O @ V @ E.T): sum of the eigenvalues over the sum of their sizes.
  const Tensor tokens = matrix({-0.74, -0.16, -0.48, 0.6, 0.04, -0.29, -0.78, -0.26, 0.01, -0.28, 1.29, 1.01},
                               {4, 3}, Dtype::f32),
               logits = matrix({-2.71, -1.89, -0.17, -0.42, 0.21, 0.22, 2.12, -1.11, -0.38, 2.04, 0.65, 0.66},
                               {4, 3}, Dtype::f32);
  CHECK(score({0.35, 0.82, 0.33, -1.3, 0.91, 0.45}, {-0.54, 0.58, 0.36, 0.29, 0.03, 0.55}, tokens, logits) ==
        doctest::Approx(0.3941303015295).epsilon(1e-6));  // tables are float32
}

TEST_CASE("compositions are norms of products") {
  const std::vector<HeadFactors> heads{head(1), head(11), head(21)};
  const Compositions all(heads);
  for (size_t from = 0; from < 3; ++from)
    for (size_t into = 0; into < 3; ++into) {
      const Matrix ov = dense(heads[from].output) * dense(heads[from].value),
                   qk = dense(heads[into].query).transpose() * dense(heads[into].key),
                   mine = dense(heads[into].output) * dense(heads[into].value);
      const auto score = [&](const Matrix& a) { return (a * ov).norm() / (a.norm() * ov.norm()); };
      CHECK(all.score(Composition::query, from, into) ==
            doctest::Approx(score(qk.transpose())).epsilon(1e-9));
      CHECK(all.score(Composition::key, from, into) == doctest::Approx(score(qk)).epsilon(1e-9));
      CHECK(all.score(Composition::value, from, into) == doctest::Approx(score(mine)).epsilon(1e-9));
    }
}

TEST_CASE("the largest pairs of tokens are those of the whole map") {
  const Tensor e = random(Dtype::f32, kTokens, kWidth, 100), u = random(Dtype::f32, kTokens, kWidth, 101);
  const HeadFactors h = head(5);
  const Matrix whole = dense(e) * (dense(u) * dense(h.output) * dense(h.value)).transpose();  // [from][to]
  std::vector<TokenPair> expected;
  for (int32_t i = 0; i < kTokens; ++i)
    for (int32_t j = 0; j < kTokens; ++j) expected.push_back({i, j, whole(i, j)});
  std::ranges::sort(expected, std::ranges::greater(), &TokenPair::value);
  const std::vector<TokenPair> got = largest_pairs(h, e, u, {}, 20);
  REQUIRE(got.size() == 20);
  for (size_t i = 0; i < 20; ++i) {
    CHECK(got[i].from == expected[i].from);
    CHECK(got[i].to == expected[i].to);
    CHECK(got[i].value == doctest::Approx(expected[i].value).epsilon(1e-5));
  }
  for (const TokenPair& p : largest_pairs(h, e, u, {7}, 3)) CHECK(p.from == 7);
  CHECK(largest_pairs(h, e, u, {7, 9}, 1000).size() == 600);
}

}  // namespace loupe
