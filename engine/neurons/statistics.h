// UnitStatistics: how channels behave over a stream of pictures, and which class each goes with.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/run/network.h"

namespace loupe {

/// Of one channel.
struct ChannelStatistics {
  double mean = 0;       // of the pictures' means over all places
  double deviation = 0;  // of those means
  double inactive = 0;   // the share of places where it is not above 0, of the pictures' shares the mean
  /// The class whose indicator (1 for its pictures, else 0) the pictures' means are most correlated with (Pearson's
  /// r; the first of equal ones). None where the channel is the same in all pictures, or these are of one class.
  std::optional<std::pair<int64_t, double>> cls = {};
};

/// One pass over a stream of pictures, of which it keeps sums alone. What is found depends on the pictures and their
/// order, not on batches or threads.
class UnitStatistics {
 public:
  /// layers: nodes whose values are maps. `classes`: how many there are.
  UnitStatistics(Network& network, std::vector<NodeId> layers, int64_t classes);

  /// Pictures (N, C, H, W), preprocessed, and their N classes, negative for one that has none. Without any they have
  /// those that the network gives the highest score: its result must be (N, classes).
  void add(const Tensor& pictures, std::span<const int64_t> classes = {});

  /// By layer and channel.
  std::vector<std::vector<ChannelStatistics>> found() const;

  /// All that it holds, f64, to go on from later: (channels, 3), (classes, channels) and (classes).
  struct State {
    Tensor channels, means, counts;
  };
  State state() const { return {sums_.clone(), means_.clone(), counts_.clone()}; }
  /// Throws Error for one of other layers or classes.
  void restore(const State& state);
  int64_t pictures() const { return static_cast<int64_t>(count_); }

 private:
  void look_at(size_t layer, const Tensor& maps, std::span<const int64_t> classes);

  Network& network_;
  std::vector<NodeId> layers_;
  std::vector<int64_t> first_;  // channel of all of each layer
  Tensor sums_;       // of each channel its mean, the sum of squares about that, the sum of inactive shares
  Tensor means_;      // of each class and channel
  Tensor counts_;     // pictures of each class
  double count_ = 0;  // of all; kept in a row of its own behind counts_
};

}  // namespace loupe
