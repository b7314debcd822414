// Switches: where the max pools of a network took their maxima. They are tensors like any other: to look at, to change,
// and to run another picture's way back with.
#pragma once
#include <map>
#include <string>

#include "engine/run/passes.h"

namespace loupe {

/// By the pool's name: u8 (N, C, h, w), of each window the cell r·kernel.w + s that was the largest.
using Switches = std::map<std::string, Tensor>;

/// Those of the images x (N, C, H, W). Empty for a network without max pools.
Switches switches_of(Network& net, const Tensor& x);
/// The same switch in every window of every pool, for inputs of that shape: its first cell, or its middle one.
enum class RegularSwitch : uint8_t { first, middle };
Switches regular_switches(const Network& net, const Shape& x, RegularSwitch);

/// A look that puts these on the tape between the forward and the way back, for GradientOptions::probe and the like:
///
///     Tensor map = deconvnet(net, a, {.target = 3, .probe = with_switches(net, a.shape(), switches_of(net, b))});
///
/// Row n is image n's; a single row serves all. A switch beyond its window sends nothing (max_unpool2d). Throws
/// UsageError, naming the pool, where a pool of the network is missing, a name is none of its pools', or a tensor does
/// not fit inputs of shape x.
Probe with_switches(const Network& net, const Shape& x, Switches switches);

}  // namespace loupe
