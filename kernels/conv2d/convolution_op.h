// ConvolutionOp: what conv2d, conv_transpose2d and linear have in common. All three run in the kernels of
// conv2d.h: a transposed convolution is the adjoint of a convolution, with input and output exchanged, and a
// linear layer is a 1×1 convolution of 1×1 maps.
#pragma once
#include "kernels/conv2d/conv2d.h"

namespace loupe {

/// One op of the family: its *.op.cpp adds infer(), window() and the row in the table.
class ConvolutionOp : public Op {
 public:
  /// `config` is of the op itself: out_channels counts channels of its output. `adjoint`: forward is the
  /// convolution's vjp_input, and vjp_input its forward.
  ConvolutionOp(const OpKind& kind, const Conv2d& config, bool adjoint = false)
      : kind_(kind), config_(config), adjoint_(adjoint) {}

  const OpKind& kind() const override { return kind_; }
  /// "64, 3×3, stride 2, padding 1": what differs from the defaults.
  std::string describe() const override;
  std::vector<ParameterSpec> parameters(Shapes given) const override;
  int64_t macs(Shapes inputs) const override;
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  bool fuses(Backend, Direction d, const Epilogue&, Shapes) const override {
    return d == Direction::forward || d == Direction::vjp_input;
  }
  std::optional<int> folds_batch_norm() const override;
  Needs needs(Direction d) const override { return {.operands = d == Direction::vjp_input ? 0b10u : 0b01u}; }
  Call prepare(Backend b, Direction d, Shapes inputs, const KernelOptions&) const override;
  int64_t accumulation_length(Direction d, Shapes inputs) const override;

  bool adjoint() const { return adjoint_; }
  /// A 1×1 convolution of 1×1 maps, whatever the input.
  virtual bool is_linear() const { return false; }
  /// The convolution behind the op. Of an adjoint, (c, h, w) is the op's output and (k, oh, ow) its input.
  ConvSizes sizes(const Shape& input) const;
  /// The direction of that convolution which computes direction `d` of the op.
  Direction convolution_direction(Direction d) const;

 protected:
  const Conv2d& config() const { return config_; }
  /// For infer(): throws UsageError, one line that begins with the op's name, unless every number of the
  /// configuration is in its range (kernel, stride, dilation, groups, channels ≥ 1, padding ≥ 0, none beyond
  /// 2^30) and groups divide both channels.
  void check_configuration(int64_t in_channels) const;
  /// The same for the sizes that follow: a UsageError if an array would have more than 2^40 elements.
  void check_elements(std::string_view array, std::initializer_list<int64_t> dims) const;
  /// Of a weight and a bias among the operands: throws UsageError unless they have the sizes that follow from
  /// the input.
  void check_operands(Shapes inputs) const;
  Call prepare_cpu(Direction d, const ConvSizes& s, const KernelOptions&, Call call) const;
  Call prepare_device(Backend b, Direction d, const ConvSizes& s, const KernelOptions&, Call call) const;

 private:
  const OpKind& kind_;
  Conv2d config_;
  bool adjoint_;
};

/// The table of kernels that the family shares. They take `const Op&` for a ConvolutionOp.
std::vector<OpKind::Row> convolution_kernels();

/// Names of their operands.
inline const std::vector<std::string_view> kConvolutionOperands{"input", "weight", "bias"};

// For kernels of the family.
/// The bias, or null if the op has none.
template <typename T>
const T* bias_of(const Arguments& a) {
  return a.inputs.size() > 2 ? a.inputs[2].as<T>() : nullptr;
}

}  // namespace loupe
