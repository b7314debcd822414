#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"

#include <algorithm>

#include "kernels/avg_pool2d/avg_pool2d.h"

namespace loupe {

namespace {

// A window that begins and ends between cells has both of those.
MeanAxis axis(int64_t size, int64_t count) {
  return {.size = size, .count = count, .kernel = ceil_div(size, count) + (size % count ? 1 : 0)};
}

class AdaptiveAvgPool2dOp final : public MeanOp {
 public:
  explicit AdaptiveAvgPool2dOp(Pair output) : output_(output) {}
  const OpKind& kind() const override;
  std::string describe() const override { return output_ == Pair(1) ? "global" : "to " + output_.str(); }
  Shape shape(Shapes inputs) const override {
    constexpr int64_t kLimit = int64_t{1} << 30;  // keeps i·H within 64 bits
    expect_inputs(kind().name, inputs, 1);
    const Nchw x = expect_maps(kind().name, inputs[0]);
    if (std::min(output_.h, output_.w) < 1 || std::max(output_.h, output_.w) > kLimit)
      throw UsageError(std::string(kind().name) +
                       ": the output must be at least 1×1 and at most 2^30 a side, got " + output_.str());
    if (std::max(x.h, x.w) > kLimit)
      throw UsageError(std::string(kind().name) + ": the map may be at most 2^30 a side, got " +
                       inputs[0].str());
    return {x.n, x.c, output_.h, output_.w};
  }
  // The windows follow from the map's size, which is not known here: the whole map is the bound that always
  // holds, and exact for the global pool.
  std::optional<Window> window() const override { return std::nullopt; }
  MeanAxes axes(Pair map) const override { return {axis(map.h, output_.h), axis(map.w, output_.w)}; }

 private:
  Pair output_;
};

}  // namespace

extern const OpKind adaptive_avg_pool2d_kind{"adaptive_avg_pool2d",
                                             "means over a grid of windows of a given size", mean_kernels()};

const OpKind& AdaptiveAvgPool2dOp::kind() const { return adaptive_avg_pool2d_kind; }

OpPtr adaptive_avg_pool2d(Pair output) { return std::make_shared<AdaptiveAvgPool2dOp>(output); }
OpPtr global_avg_pool2d() { return adaptive_avg_pool2d(1); }

}  // namespace loupe
