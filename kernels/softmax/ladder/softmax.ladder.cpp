#include "kernels/common/ladder.h"

#include "kernels/softmax/ladder/ladder.h"
#include "kernels/softmax/softmax.h"

namespace loupe {

namespace {

template <const device::SoftmaxRung& rung>
void forward(const Op& op, const Arguments& a) {
  const auto& softmax = static_cast<const SoftmaxOp&>(op);
  const auto [n, c, pixels] = softmax.sizes(a.output.shape);
  rung(a.queue, softmax.log(), a.inputs[0].as<float>(), a.output.as<float>(), n, c, pixels);
}

}  // namespace

extern const Ladder softmax_ladder{
    "softmax",
    {{"1_thread_per_row", "a loop as on a CPU, one thread a row", forward<device::softmax_rung1>},
     {"2_warp_per_row", "32 threads share a row, and add up by shuffles", forward<device::softmax_rung2>},
     {"3_block_and_vectors", "256 threads share a row and read 16 bytes at once",
      forward<device::softmax_rung3>},
     {"4_one_pass", "maximum and sum in one pass", forward<device::softmax_rung4>}}};

}  // namespace loupe
