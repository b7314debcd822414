#include "kernels/max_pool2d/ladder/ladder.h"

#include "kernels/common/ladder.h"
#include "kernels/max_pool2d/max_pool2d.h"

namespace loupe {

namespace {

Pair map_of(const Shape& s) { return {s[2], s[3]}; }

template <const device::MaxPool2dRung& rung>
void forward(const Op& op, const Arguments& a) {
  const Shape &x = a.inputs[0].shape, &y = a.output.shape;
  rung(a.queue, max_pool2d_pooling(op), map_of(x), map_of(y), a.inputs[0].as<float>(), a.output.as<float>(),
       a.record.as<uint8_t>(), x[0] * x[1]);
}

template <const device::MaxUnpool2dRung& rung>
void vjp(const Op& op, const Arguments& a) {
  const Shape &x = a.grad.shape, &y = a.grad_output.shape;
  rung(a.queue, max_pool2d_pooling(op), map_of(x), map_of(y), a.grad_output.as<float>(),
       a.record.as<uint8_t>(), a.grad.as<float>(), x[0] * x[1]);
}

}  // namespace

extern const Ladder max_pool2d_ladder{
    "max_pool2d",
    {{"1_thread_per_map", "loops as on a CPU, one thread a map", forward<device::max_pool2d_rung1>,
      vjp<device::max_unpool2d_rung1>},
     {"2_thread_per_cell",
      "neighbours in the map are neighbours in a warp; unpooling looks instead of throwing",
      forward<device::max_pool2d_rung2>, vjp<device::max_unpool2d_rung2>},
     {"3_shared_tiles", "what windows share is read once, into shared memory",
      forward<device::max_pool2d_rung3>, vjp<device::max_unpool2d_rung3>},
     {"4_packed", "fewer requests: 16 bytes at once into the tile, four switches as one word",
      forward<device::max_pool2d_rung4>, vjp<device::max_unpool2d_rung4>}}};

}  // namespace loupe
