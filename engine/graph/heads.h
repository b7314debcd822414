// Other heads for a network that classifies: what comes after its last maps.
#pragma once
#include <map>
#include <string>

#include "engine/graph/graph.h"

namespace loupe {

/// The network with its fully connected layers as convolutions (Sermanet et al. 2014, "OverFeat", section 3.3; Long,
/// Shelhamer & Darrell 2015): the first linear layer behind the flattened maps (C, h, w) is one of h×w, those that
/// follow are 1×1, and where an adaptive average pool made the maps h×w it is left out. Behind them the scores of all
/// places are averaged. At its own size, where there is one place, it computes the same sums; larger pictures have more
/// places, each with scores of its own, at the value of the last convolution, which is named as the linear layer was.
/// Parameters keep their names and their numbers in their order, and take other shapes (reshaped()). Throws UsageError,
/// one line, for a network without such a head.
Graph dense_head(const Graph& graph);

/// The network up to `trunk`, maps (N, K, h, w); then global average pooling "head.average" and "head.flatten", (N, K).
/// Throws UsageError where the trunk has no maps.
Graph pooled_features(const Graph& graph, NodeId trunk);
/// The same, and a linear layer "head.fc" for so many classes: a head that class activation maps suit (Zhou et al.
/// 2016).
Graph pooled_head(const Graph& graph, NodeId trunk, int64_t classes);

/// The same numbers in the shapes that the graph's parameters have; others are left out.
std::map<std::string, Tensor> reshaped(const std::map<std::string, Tensor>& parameters, const Graph& graph);

}  // namespace loupe
