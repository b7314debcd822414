// Circuits: what attention heads look at and what they carry, told from their weights alone (Elhage et al. 2021, "A
// mathematical framework for transformer circuits").
//
//   QK = qᵀ k    (D, D)    where a head looks: the score of two places, but for their positions
//   OV = o v     (D, D)    what it brings from there
//
// Both have rank d, the width of a head, and nothing here is larger than a factor: the eigenvalues of A B (D × D), but
// for zeros, are those of B A (d × d), also where the factors lead through all tokens of a vocabulary.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "engine/tensor/tensor.h"

namespace loupe {

/// A head's factors, f64: query, key and value (d, D) read the residual stream, output (D, d) writes to it. Norms before
/// them are folded in by whoever made them.
struct HeadFactors {
  Tensor query, key, value, output;
};

/// Σ Re λ / Σ |λ| over the eigenvalues, from −1 to 1: 1 where all are positive, so that the map raises what it is given
/// ("Detecting copying behavior"). 0 of a map that is 0.
struct EigenvalueScores {
  double copying;       // of OV, in the residual stream
  double full_copying;  // of U OV Eᵀ: from tokens to logits
  double matching;      // of E QKᵀ Eᵀ: tokens that look for tokens like themselves
};

/// What is the same for all heads: products over the vocabulary, (D, D) f64.
struct VocabularyProducts {
  Tensor embedded;    // Eᵀ E
  Tensor unembedded;  // Eᵀ U
};
/// Of the tables (vocabulary, D), f32, of the embedding and of the unembedding, a norm before which is folded into it.
/// The sums are in double and in order.
VocabularyProducts vocabulary_products(const Tensor& embedding, const Tensor& unembedding);

EigenvalueScores eigenvalue_scores(const HeadFactors& head, const VocabularyProducts& tokens);

/// How a head reads what an earlier one wrote: by its queries, keys or values.
enum class Composition : uint8_t { query, key, value };
inline constexpr std::array kCompositions{Composition::query, Composition::key, Composition::value};
/// "query", "key", "value".
std::string_view composition_name(Composition c);

/// Compositions of heads with each other, whose Gram matrices are made once.
class Compositions {
 public:
  explicit Compositions(std::vector<HeadFactors> heads);

  /// ‖A B‖ / (‖A‖ ‖B‖), Frobenius' norms, of B = OV of head `from` and A = QKᵀ (query), QK (key) or OV (value) of head
  /// `into`: how much of what the one writes the other reads. Two that have nothing to do with each other come to about
  /// 1/√D.
  double score(Composition c, size_t from, size_t into) const;
  size_t size() const { return heads_.size(); }

 private:
  struct Grams {
    Tensor query, key, value, output;  // (d, d): q qᵀ, k kᵀ, v vᵀ, oᵀ o
    double qk, ov;                     // norms
  };
  std::vector<HeadFactors> heads_;
  std::vector<Grams> grams_;
};

/// One of the largest entries of U OV Eᵀ: how much a head raises the logit of token `to` where it looks at `from`.
struct TokenPair {
  int32_t from, to;
  double value;
};
/// The `count` largest, the largest first, of the sources `from` (all tokens where empty); of equal ones that of the
/// lower source, then target. Tables as for vocabulary_products(). Products are in float32; no block of them is larger
/// than a few sources' rows.
std::vector<TokenPair> largest_pairs(const HeadFactors& head, const Tensor& embedding,
                                     const Tensor& unembedding, std::vector<int32_t> from, int64_t count);

}  // namespace loupe
