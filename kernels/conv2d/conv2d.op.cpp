#include "kernels/conv2d/conv2d.h"

#include <algorithm>

#include "kernels/conv2d/convolution_op.h"

namespace loupe {

Range outputs_inside(int64_t offset, int64_t stride, int64_t size, int64_t outputs) {
  const int64_t begin = offset >= 0 ? 0 : ceil_div(-offset, stride);
  const int64_t end = offset >= size ? 0 : std::min(outputs, (size - 1 - offset) / stride + 1);
  return {std::min(begin, end), end};
}

namespace {

class Conv2dOp : public ConvolutionOp {
 public:
  using ConvolutionOp::ConvolutionOp;

  Shape shape(Shapes inputs) const override {
    if (inputs.size() != 1) check_operands(inputs);
    const Nchw x = expect_maps("conv2d", inputs[0]);
    check_configuration(x.c);
    const Conv2d& c = config();
    const Pair window{c.dilation.h * (c.kernel.h - 1) + 1, c.dilation.w * (c.kernel.w - 1) + 1};
    const Pair padded{x.h + 2 * c.padding.h, x.w + 2 * c.padding.w};
    if (window.h > padded.h || window.w > padded.w)
      throw UsageError("conv2d: its window of " + window.str() + " cells is larger than the padded map, " +
                       padded.str());
    const int64_t oh = (padded.h - window.h) / c.stride.h + 1, ow = (padded.w - window.w) / c.stride.w + 1;
    check_elements("padded input", {x.n, round_up(x.c, kBlock), padded.h, padded.w});
    check_elements("output", {x.n, round_up(c.out_channels, kBlock), oh, ow});
    return {x.n, c.out_channels, oh, ow};
  }
  std::optional<Window> window() const override {
    return Window{config().kernel, config().stride, config().padding, config().dilation};
  }
  std::optional<OnWindow> on_window(Shapes) const override {
    Conv2d unpadded = config();
    unpadded.padding = 0;
    return OnWindow{.op = conv2d(unpadded)};
  }
};

}  // namespace

extern const OpKind conv2d_kind{"conv2d", "convolution with stride, padding, dilation and groups",
                                convolution_kernels(), kConvolutionOperands};

OpPtr conv2d(Conv2d config) { return std::make_shared<Conv2dOp>(conv2d_kind, config); }

}  // namespace loupe
