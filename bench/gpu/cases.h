// What gpu_kernels times: every op with a kernel for devices, in shapes of well-known networks.
#pragma once
#include <string>
#include <vector>

#include "kernels/common/op.h"

namespace loupe::bench {

struct KernelCase {
  std::string name;  // where the shape comes from
  OpPtr op;
  std::vector<Shape> inputs;
  std::vector<Dtype> types = {};  // f32 where missing
  bool ladder = false;            // the rungs of the op's ladder are timed here too
};

/// The most telling of an op comes first. `batch` images; sides and channels divided by `divisor`, for a try
/// without a GPU.
std::vector<KernelCase> kernel_cases(int64_t batch, int64_t divisor);

}  // namespace loupe::bench
