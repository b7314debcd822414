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
  std::vector<ParameterSpec> parameters(Shapes inputs) const override;
  int64_t macs(Shapes inputs) const override;
  bool fuses_activation(Backend) const override { return true; }
  std::optional<int> folds_batch_norm() const override;
  Needs needs(Direction d) const override { return {.inputs = d == Direction::vjp_weight}; }
  int64_t packed_size(Backend b, Direction d, Shapes inputs, size_t p) const override;
  void pack(Backend b, Direction d, Shapes inputs, size_t p, const float* from, float* to) const override;
  int64_t workspace_bytes(Backend b, Direction d, Shapes inputs) const override;
  std::string algorithm(Backend b, Direction d, Shapes inputs) const override;
  int64_t accumulation_length(Direction d, Shapes inputs) const override;

  bool adjoint() const { return adjoint_; }
  /// A 1×1 convolution of 1×1 maps, whatever the input.
  virtual bool is_linear() const { return false; }
  /// Device `b` leaves it to cuDNN, with planar weights (by_library.h).
  bool by_cudnn(Backend b) const;
  /// The cpu's kernels are Winograd's (winograd.h).
  bool by_winograd(Backend b, const ConvSizes& s) const;
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
  /// The kernel is cpu::convolve or device::conv2d_convolve, with its packed parameters.
  static bool convolves(Backend b, Direction d) {
    return b != Backend::ref && (d == Direction::forward || d == Direction::vjp_input);
  }

 private:
  const OpKind& kind_;
  Conv2d config_;
  bool adjoint_;
};

/// The table of kernels that the family shares. They take `const Op&` for a ConvolutionOp.
std::vector<OpKind::Row> convolution_kernels();

// For ref kernels of the family.
/// The bias, or null if the op has none.
template <typename T>
const T* bias_of(const Arguments& a) {
  return a.parameters.size() > 1 ? a.parameters[1].as<T>() : nullptr;
}
/// The last step of forward: the fused activation, if any, on the output in place.
void ref_activate_output(const Arguments& a);

}  // namespace loupe
