// Passes: what methods share. What is explained, how many images run at once, and the pass forward and back down
// from that scalar.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "engine/image/picture.h"
#include "engine/run/network.h"
#include "engine/run/target.h"

namespace loupe {

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
/// job as large as the others; on a CPU what its caches hold. Rows that a rule looks at together are in one batch:
/// all begin at multiples of `together`. Throws Error where so many do not fit net.memory_limit.
void in_batches(Network& net, const Shape& one, int64_t count, const Purpose& purpose,
                const Progress& progress, const std::function<void(int64_t begin, int64_t end)>& body,
                int64_t together = 1);

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
  int64_t together = 1;  // rows that the rule looks at together, as in_batches() has it

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
