// Passes: what methods share. Which class is explained, how many images run at once, and the pass forward and
// back down from a class score.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "engine/image/picture.h"
#include "engine/run/network.h"

namespace loupe {

struct Top1 {};
/// The class with the highest score, of each image its own.
inline constexpr Top1 top1{};

/// What is explained: a scalar of each image's result. The score of a class (top1, one for all images, or one
/// for each), or any function of the result: the difference of two classes, a weighted sum, a loss.
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
  bool is_class() const { return !scalar_; }

  /// The same scalar, of that node's value in the place of the network's result.
  Target of(NodeId node) const;
  /// The node whose value the scalar reads.
  NodeId node(const Graph& graph) const { return node_.value_or(graph.output()); }
  /// For jobs of `rows` rows an image: row r is about image r / rows.
  Target repeated(int64_t rows) const;
  /// For jobs whose row r is about image images[r].
  Target rows(std::span<const int64_t> images) const;

 private:
  std::vector<int64_t> classes_;  // empty: top1
  bool each_ = false;
  Scalar scalar_;
  std::optional<NodeId> node_;
};

/// Takes the part that is done, 0 to 1.
using Progress = std::function<void(double)>;

/// A look between the forward and the backward half of a pass, to read what it computed or to put another
/// run's masks and switches on its tape. `first` is the row of the whole job at which the batch starts.
struct Probe {
  std::vector<Port> values = {};
  std::vector<NodeId> records = {};  // kept for `look`, on top of what the method needs
  std::function<void(Execution&, int64_t first)> look = {};
};

/// Throws UsageError unless x is (N, C, H, W) with the channels that the network takes, of sizes that it
/// fits.
void expect_images(const Network& net, const Tensor& x);

/// Calls body(begin, end) for stretches of [0, count), each as long as a good batch of inputs like `one` that
/// fits net.memory_limit: on a GPU, which idles in small ones, the largest that fits there, too, or a part of the
/// job as large as the others; on a CPU what its caches hold.
void in_batches(Network& net, const Shape& one, int64_t count, const Purpose& purpose,
                const Progress& progress, const std::function<void(int64_t begin, int64_t end)>& body);

/// What a job finds of each of its rows.
struct RowScores {
  std::vector<double> scores;         // the target's scalar
  std::vector<double> probabilities;  // class_probability() of the class; empty where the target is no class
};

/// The target with top1 settled: the classes that the images x have as they are. What changes images and asks
/// for their scores asks for those, whatever class is then on top.
Target settled(Network& net, const Tensor& x, const Target& target);

/// Runs a job of `count` rows forward alone; rows(begin, end): their input, (end − begin, …). `target` has a
/// class for all, or one for each row (Target::repeated).
RowScores forward_scores(Network& net, const Shape& one, int64_t count,
                         const std::function<Tensor(int64_t, int64_t)>& rows, const Target& target,
                         const Progress& progress = {});

/// Runs a job of `count` rows forward, then back down from each row's scalar.
struct ScorePass {
  Network& net;
  Shape one;  // of an input of the job, (1, …)
  Purpose
      purpose;  // rule, gradients and values; where nothing else is said, the way back begins at the network's result
  Target target;
  Probe probe = {};
  Progress progress = {};

  /// rows(begin, end): the input of these rows, (end − begin, …). take(execution, begin): called when
  /// their gradients are there.
  void run(int64_t count, const std::function<Tensor(int64_t, int64_t)>& rows,
           const std::function<void(Execution&, int64_t)>& take);
};

/// d(class score)/d(input) under a rule, like x (N, 3, H, W), in the device's type.
Tensor input_signal(Network& net, const Tensor& x, const Target& target, Rule rule, const Probe& probe);

/// Copies the rows of `from` to the rows of `to` that begin at `first`; the same type.
void copy_rows(const Tensor& from, const Tensor& to, int64_t first);

/// Where the middles of a node's receptive fields lie; none if its cells see the whole input.
std::optional<Grid> receptive_centres(const Graph& graph, NodeId node);

}  // namespace loupe
