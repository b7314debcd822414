// Between tensors, which are the host's and planar, and arrays where a plan or a kernel has them: in the
// memory of a device, in any layout.
#pragma once
#include "engine/tensor/tensor.h"

namespace loupe {

/// The values of `from` into `to`, of the same shape, in its type and layout. `queue`: of the device whose
/// memory `to` lies in. On cuda and sim the copy takes its turn in the queue's stream; `from` may change at
/// once.
void upload(const Queue& queue, const Tensor& from, const Array& to);
/// A copy of `from`, planar, of its own type; bits become u8. Waits for the queue's stream.
Tensor download(const Queue& queue, const Array& from);

}  // namespace loupe
