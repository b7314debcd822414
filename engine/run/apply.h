// apply(): one op on a device, for those who want to see what a kernel does without a network around it.
#pragma once
#include <vector>

#include "engine/tensor/tensor.h"
#include "kernels/common/op.h"

namespace loupe {

/// What an op makes of its operands.
struct Applied {
  Tensor output;       // its first, in the device's type
  Tensor record = {};  // what the tape keeps of it, where it keeps something: a max pool's switches, u8
};

/// Runs a network of this one op: `inputs` are its first operands, (N, …) each, and `weights` those that follow
/// (a convolution's weight and, if it has one, its bias). Floats are computed in the device's type, on ref in double,
/// weights too. Throws UsageError where the operands do not fit.
Applied apply(Device device, const OpPtr& op, const std::vector<Tensor>& inputs,
              const std::vector<Tensor>& weights = {});

}  // namespace loupe
