#include "kernels/conv2d/ladder/ladder.h"

#include "kernels/conv2d/convolution_op.h"

namespace loupe {

namespace {

template <const device::Conv2dRung& rung>
void forward(const Op& op, const Arguments& a) {
  rung(a.queue, static_cast<const ConvolutionOp&>(op).sizes(a.inputs[0].shape), a.inputs[0].as<float>(),
       a.inputs[1].as<float>(), bias_of<float>(a), a.output.as<float>());
}

}  // namespace

extern const Ladder conv2d_ladder{
    "conv2d",
    {{"1_naive", "a thread makes an output; neighbours make neighbouring channels",
      forward<device::conv2d_rung1>},
     {"2_coalesced", "neighbours make neighbouring pixels, and share sectors", forward<device::conv2d_rung2>},
     {"3_shared_tiles", "a block reads what its threads have in common once, into shared memory",
      forward<device::conv2d_rung3>},
     {"4_register_blocks", "a thread makes 8 × 8 outputs from 8 + 8 values in registers",
      forward<device::conv2d_rung4>},
     {"5_vector_loads", "16 bytes a request, and cp.async fills one slab while another is used",
      forward<device::conv2d_rung5>}}};

}  // namespace loupe
