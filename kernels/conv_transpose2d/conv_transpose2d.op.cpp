#include "kernels/conv_transpose2d/conv_transpose2d.h"

#include <algorithm>

#include "kernels/conv2d/convolution_op.h"

namespace loupe {

extern const OpKind conv_transpose2d_kind;

namespace {

class ConvTranspose2dOp : public ConvolutionOp {
 public:
  explicit ConvTranspose2dOp(const ConvTranspose2d& c)
      : ConvolutionOp(conv_transpose2d_kind,
                      {c.out_channels, c.kernel, c.stride, c.padding, c.dilation, c.groups, c.bias},
                      /*adjoint=*/true),
        output_padding_(c.output_padding) {}
  std::string describe() const override {
    const Pair extra = output_padding_;
    return ConvolutionOp::describe() + (extra == Pair(0) ? "" : ", output padding " + extra.str());
  }

  Shape shape(Shapes inputs) const override {
    if (inputs.size() != 1) check_operands(inputs);
    const Nchw x = expect_maps("conv_transpose2d", inputs[0]);
    check_configuration(x.c);
    const Conv2d& c = config();
    const auto fits = [](int64_t extra, int64_t stride, int64_t dilation) {
      return extra >= 0 && extra < std::max(stride, dilation);
    };
    if (!fits(output_padding_.h, c.stride.h, c.dilation.h) ||
        !fits(output_padding_.w, c.stride.w, c.dilation.w))
      throw UsageError("conv_transpose2d: output padding " + output_padding_.str() +
                       " must be at least 0 and less than the stride or the dilation");
    check_elements("input", {x.n, round_up(x.c, kBlock), x.h, x.w});
    // Each factor is below 2^40 and 2^30 here: see whether their products are sane before they are used.
    check_elements("output", {x.h, c.stride.h});
    check_elements("output", {x.w, c.stride.w});
    const auto size = [](int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t extra,
                         int64_t dilation) {
      return (in - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1;
    };
    const int64_t oh = size(x.h, c.kernel.h, c.stride.h, c.padding.h, output_padding_.h, c.dilation.h);
    const int64_t ow = size(x.w, c.kernel.w, c.stride.w, c.padding.w, output_padding_.w, c.dilation.w);
    if (oh < 1 || ow < 1)
      throw UsageError("conv_transpose2d: padding " + c.padding.str() +
                       " leaves nothing of the output of a " + Pair(x.h, x.w).str() + " map");
    check_elements("output", {x.n, round_up(c.out_channels, kBlock), oh, ow});
    return {x.n, c.out_channels, oh, ow};
  }
  /// With a stride, an output cell's window is a fraction of a cell wide, which Window cannot say: nullopt,
  /// the whole map.
  std::optional<Window> window() const override {
    if (config().stride != Pair(1)) return std::nullopt;
    const Pair k = config().kernel, p = config().padding, d = config().dilation;
    return Window{k, 1, {d.h * (k.h - 1) - p.h, d.w * (k.w - 1) - p.w}, d};
  }

 private:
  Pair output_padding_;
};

}  // namespace

const OpKind conv_transpose2d_kind{"conv_transpose2d",
                                   "the adjoint of conv2d, with output padding, dilation and groups",
                                   convolution_kernels(), kConvolutionOperands};

OpPtr conv_transpose2d(ConvTranspose2d config) { return std::make_shared<ConvTranspose2dOp>(config); }

}  // namespace loupe
