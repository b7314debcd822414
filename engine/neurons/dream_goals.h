// Goals of a dream: what the picture is to make strong, and which way a value would have to change for it.
#pragma once
#include <functional>
#include <utility>
#include <vector>

#include "engine/run/network.h"
#include "engine/run/target.h"

namespace loupe {

/// L, a function of a node's value.
struct DreamGoal {
  NodeId node = -1;
  /// L is a sum over cells (places of maps, or tokens), each of which counts by itself: windows of a picture then give
  /// what the whole picture gives.
  bool by_cells = true;
  /// dL/d(value) of one picture's value (1, …), of its shape, f32 or f64. May be the value itself, changed.
  std::function<Tensor(const Tensor& value)> slope = {};
};

/// L = ½‖a‖²: whatever the layer sees, more of it (Mordvintsev, Olah & Tyka 2015, "Inceptionism: Going Deeper into Neural
/// Networks").
DreamGoal layer_goal(NodeId node);

/// L = Σ ⟨v, a⟩ over cells: a direction of the layer, or of v with a single 1 one channel. `shape`: the node's value.
/// Throws UsageError unless v has a number for each channel.
DreamGoal direction_goal(NodeId node, const Shape& shape, std::vector<double> v);

/// L = Σ max_j ⟨a, g_j⟩ over cells, g_j the cells of another picture's value: each place becomes more like what fits it
/// best there (the same authors' notebook, "Controlling dreams"). `guide`: that picture, an input (1, C, H, W).
DreamGoal guide_goal(Network& net, NodeId node, const Tensor& guide);

/// L = Σ weight·target, of one node. Throws UsageError for targets of several, and without any.
DreamGoal score_goal(const Graph& graph, std::vector<std::pair<double, Target>> parts);

}  // namespace loupe
