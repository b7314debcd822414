// Target: what is explained, a scalar of each image's pass.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/tensor/tensor.h"

namespace loupe {

struct Top1 {};
/// The class with the highest score, of each image its own.
inline constexpr Top1 top1{};

/// What is explained: a scalar of each image's result. The score of a class (top1, one for all images, or one
/// for each), a weighted sum of scores such as the difference of two classes, any other function of the result
/// (a loss); or a unit of a layer.
class Target {
 public:
  /// A function of one image's result, its numbers in a row: returns its value and writes its gradient.
  using Scalar = std::function<double(std::span<const double> result, std::span<double> gradient)>;

  Target(Top1) {}                         // NOLINT: implicit on purpose, `{.target = top1}`
  Target(int64_t cls) : classes_{cls} {}  // NOLINT
  Target(std::vector<int64_t> classes) : classes_(std::move(classes)), each_(true) {}  // NOLINT
  Target(Scalar scalar) : scalar_(std::move(scalar)) {}                                // NOLINT

  /// score_a − score_b: what speaks for a rather than b.
  static Target difference(int64_t a, int64_t b) { return sum({{a, 1.0}, {b, -1.0}}); }
  /// Σ weight·score.
  static Target sum(std::vector<std::pair<int64_t, double>> weighted);
  /// One number of the value of a node, which of() names. Of maps (N, C, H, W) channel c at (y, x), or where no
  /// place is given its sum over all places; of tokens (N, L, D) their c-th numbers' sum over all tokens; of rows
  /// (N, D) number c.
  static Target unit(int64_t c, std::optional<std::pair<int64_t, int64_t>> place = {});
  /// −log softmax(result)_cls, the cross-entropy loss.
  static Target loss(int64_t cls);

  /// One class for each of the `count` rows that begin at `first`, whose scores are logits (count, classes).
  /// Throws UsageError for a class that the network does not have, for a list that is shorter than the
  /// images, and for a target that is not a class.
  std::vector<int64_t> classes(const Tensor& logits, int64_t first = 0) const;
  /// The same before there are scores: −1 for top1.
  std::vector<int32_t> wanted(int64_t count, int64_t classes, int64_t first = 0) const;
  /// The scalar's value of each row, and its gradient, f64 like `result` (count, …): the seed of a way back.
  std::vector<double> scores(const Tensor& result, int64_t first = 0) const;
  Tensor seed(const Tensor& result, int64_t first = 0) const;
  bool is_class() const { return !scalar_ && !unit_ && sum_.empty(); }
  bool is_unit() const { return unit_.has_value(); }
  bool is_sum() const { return !sum_.empty(); }
  /// The class, where the target names one alone.
  std::optional<int64_t> one_class() const;
  /// Row n's scalar as a weighted sum of scores: of one class, or of those that sum() was given. `result`: the row's,
  /// (1, classes). Throws UsageError for what is no such sum.
  std::vector<std::pair<int64_t, double>> weights(const Tensor& result, int64_t n) const;

  /// In words: "class 3", "class 3 − class 5", "unit 100 at (6, 6)"; called() gives better ones.
  std::string words() const;
  Target called(std::string words) const;

  /// The same scalar, of that node's value in the place of the network's result.
  Target of(NodeId node) const;
  /// Throws UsageError where the node's value of that shape, (N, …), has no such class or unit.
  void check(const Shape& shape) const;
  /// The node whose value the scalar reads.
  NodeId node(const Graph& graph) const { return node_.value_or(graph.output()); }
  /// For jobs of `rows` rows an image: row r is about image r / rows.
  Target repeated(int64_t rows) const;
  /// For jobs whose row r is about image images[r].
  Target rows(std::span<const int64_t> images) const;
  /// Of image n alone.
  Target image(int64_t n) const;

 private:
  double row(const Shape& shape, std::span<const double> result, std::span<double> gradient) const;

  std::vector<int64_t> classes_;  // empty: top1
  bool each_ = false;
  std::vector<std::pair<int64_t, double>> sum_;
  struct Unit {
    int64_t channel;
    std::optional<std::pair<int64_t, int64_t>> place;
  };
  std::optional<Unit> unit_;
  Scalar scalar_;
  std::optional<NodeId> node_;
  std::string words_;
};

}  // namespace loupe
