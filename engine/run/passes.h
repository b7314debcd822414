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

/// The class to explain: top1, one for all images, or one for each image.
class Target {
 public:
  Target(Top1) {}                         // NOLINT: implicit on purpose, `{.target = top1}`
  Target(int64_t cls) : classes_{cls} {}  // NOLINT
  Target(std::vector<int64_t> classes) : classes_(std::move(classes)), each_(true) {}  // NOLINT
  /// One class for each of the `count` rows that begin at `first`, whose scores are logits (count, classes).
  /// Throws UsageError for a class that the network does not have, and for a list that is shorter than the
  /// images.
  std::vector<int64_t> classes(const Tensor& logits, int64_t first = 0) const;

 private:
  std::vector<int64_t> classes_;  // empty: top1
  bool each_ = false;
};

/// Takes the part that is done, 0 to 1.
using Progress = std::function<void(double)>;

/// A look between the forward and the backward half of a pass, to read what it computed or to put another
/// run's masks and switches on its tape. `first` is the row of the whole job at which the batch starts.
struct Probe {
  std::vector<NodeId> values = {}, records = {};  // kept for `look`, on top of what the method needs
  std::function<void(Execution&, int64_t first)> look = {};
};

/// Throws UsageError unless x is (N, 3, H, W) with the sizes that the network takes.
void expect_images(const Network& net, const Tensor& x);

/// Calls body(begin, end) for stretches of [0, count), each as long as a good batch that fits
/// net.memory_limit.
void in_batches(Network& net, int64_t count, const Purpose& purpose, const Progress& progress,
                const std::function<void(int64_t begin, int64_t end)>& body);

/// Runs a job of `count` rows forward, then back down from each row's class score.
struct ScorePass {
  Network& net;
  Purpose purpose;  // rule, gradients and values; the pass adds the scores
  Target target;
  Probe probe = {};
  Progress progress = {};

  /// rows(begin, end): the input of these rows, (end − begin, 3, H, W). take(execution, begin): called when
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
