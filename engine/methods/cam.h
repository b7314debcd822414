// CAM: the class's evidence at each place, for networks that end with global average pooling.
#pragma once
#include <optional>
#include <string>

#include "engine/run/passes.h"

namespace loupe {

struct CamOptions {
  Target target = top1;
};

/// The class's evidence at each place of the last maps, (N, h, w), signed, without the linear layer's bias:
/// Σ_k W[c,k]·A_k; of a weighted sum of scores, such as a difference of two classes, the same sum of their maps.
/// Where the classes' maps themselves are averaged (SqueezeNet), the class's map before its ReLU. Throws UsageError
/// for a network whose head is not global average pooling, and for a target that is no class or sum of them. Zhou et
/// al. 2016, "Learning deep features for discriminative localization".
Tensor cam(Network& net, const Tensor& x, const CamOptions& options = {});

/// The same of a forward pass that has run, whose purpose names the values of cam_head(graph).maps and of the network's
/// result. In real time, where the scores are wanted anyway, the map comes almost for nothing
/// (bench/methods/cam_bench.cpp).
Tensor cam_of(const Network& net, const Execution& pass, const CamOptions& options = {});
/// The same of these values: maps (N, K, h, w) and scores (N, classes).
Tensor cam_of(const Network& net, const Tensor& maps, const Tensor& scores, const CamOptions& options = {});

/// Where a class activation map comes from: the class's map is Σ_k weight[c,k]·maps_k, or channel c of `maps`
/// itself.
struct CamHead {
  NodeId maps = -1;
  std::optional<NodeId> linear = {};
  std::string missing = {};  // why there is none
};
CamHead cam_head(const Graph& graph);

}  // namespace loupe
