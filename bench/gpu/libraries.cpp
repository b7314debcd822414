#include "bench/gpu/libraries.h"

#include "kernels/conv2d/by_library.h"
#include "kernels/conv2d/convolution_op.h"

namespace loupe::bench {

namespace {

constexpr Rival kConvolutions[] = {{"cuDNN fp32 NCHW", {LibraryMath::fp32, false}},
                                   {"cuDNN fp32 NHWC", {LibraryMath::fp32, true}},
                                   {"cuDNN TF32 NHWC", {LibraryMath::tf32, true}},
                                   {"cuDNN bf16 NHWC", {LibraryMath::bf16, true}}};
constexpr Rival kLinear[] = {{"cuBLAS fp32", {LibraryMath::fp32}},
                             {"cuBLAS TF32", {LibraryMath::tf32}},
                             {"cuBLAS bf16", {LibraryMath::bf16}}};

bool is_linear(const KernelCase& c) { return c.op->kind().name == "linear"; }

}  // namespace

std::span<const Rival> rivals_of(const KernelCase& c, Direction d) {
  const std::string_view kind = c.op->kind().name;
  // With a bias ours would do more than they. vjp_bias is no call of either.
  if (operands_of(c).size() > 2 || d == Direction::vjp_bias) return {};
  if (kind == "conv2d" || kind == "conv_transpose2d") return kConvolutions;
  if (kind == "linear") return kLinear;
  return {};
}

RivalCall::RivalCall(const Place& place, const KernelCase& c, Direction d, const Rival& rival) {
  const Queue queue{&place.module, place.stream};
  const LibraryStyle style = rival.style;
  // How many elements x, weight and y have, in the words of the convolution behind the op.
  int64_t x = 0, weight = 0, y = 0;
  void *from = nullptr, *with = nullptr, *to = nullptr;
  const auto allocate = [&](Direction direction) {
    const int64_t counts[3][3] = {{x, weight, y}, {y, weight, x}, {x, y, weight}};  // forward, vjps
    const auto& of = counts[direction.operand + 1];
    from = memory(place, of[0], style.math, true).data();
    with = memory(place, of[1], style.math, true).data();
    to = memory(place, of[2], style.math, false).data();
  };
  if (is_linear(c)) {
    const std::vector<Shape> shapes = shapes_of(operands_of(c));
    const LinearSizes s{shapes[0].numel() / shapes[0].back(), shapes[0].back(), shapes[1][0]};
    x = s.n * s.in, weight = s.in * s.out, y = s.n * s.out;
    allocate(d);
    run_ = [=] { device::linear_compared(queue, s, d, style.math, from, with, to); };
    return;
  }
  const auto& op = static_cast<const ConvolutionOp&>(*c.op);
  const ConvSizes s = op.sizes(c.inputs[0]);
  const Direction direction = op.convolution_direction(d);
  x = s.n * s.c * s.h * s.w, weight = s.weight_size(), y = s.n * s.k * s.oh * s.ow;
  allocate(direction);
  run_ = [=] { device::conv2d_compared(queue, s, direction, style, from, with, to); };
}

const Memory& RivalCall::memory(const Place& place, int64_t elements, LibraryMath math, bool read) {
  const bool half = math == LibraryMath::bf16;
  const Memory& m = memory_.emplace_back(place, elements * (half ? 2 : 4));
  if (read) half ? m.random_bf16() : m.random();
  bytes_ += m.bytes();
  return m;
}

}  // namespace loupe::bench
