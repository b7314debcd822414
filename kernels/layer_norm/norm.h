// Norm: what layer_norm, rms_norm and group_norm have in common.
//
//   x̂ = (x − μ) · r      r = 1 / √(σ² + eps)      y = x̂ · weight + bias
//
// μ and σ² (the biased variance: divided by the number of elements, as in PyTorch) are of a *group* of
// elements of one image, found in two passes, so that nothing cancels. rms_norm leaves μ out: r = 1 / √(mean
// of x² + eps). With h = gy · weight,
//
//   gx = r · (h − mean(h) − x̂ · mean(h · x̂))      without the mean(h) where μ is left out
//   gweight = Σ gy · x̂      gbias = Σ gy          over all elements that share a weight
//
// The tape keeps μ (if there is one) and r of every group, as numbers.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"
#include "kernels/reduce/parts.h"

namespace loupe {

/// x, y and their gradients are (outer, length, inner), row-major: a group is all of `length` at one outer
/// and one inner place.
struct Norm {
  int64_t outer = 1, length = 1, inner = 1;
  /// Element l of outer place o has weight number ((o % groups) · length + l) / share.
  int64_t groups = 1, share = 1;
  bool centred = true;  // μ is subtracted
  double eps = 0;

  constexpr int64_t weights() const { return groups * length / share; }
  constexpr int64_t weight_of(int64_t o, int64_t l) const { return (o % groups * length + l) / share; }
  /// Numbers of a group in the record, (outer, inner, kept()) of them: μ and r, or r alone.
  constexpr int kept() const { return centred ? 2 : 1; }

  /// x is (images, weights(), pixels()) and a weight's gradient the sum of a channel; else x is a matrix of
  /// weights() columns, each with a weight.
  constexpr bool has_channels() const { return inner > 1 || share > 1; }
  constexpr int64_t pixels() const { return inner > 1 ? inner : share; }
};

namespace ref {
// T = float or double. `weight` and `bias` may be null, `record` too where it is written.
template <typename T>
void norm(const Norm&, const T* x, const T* weight, const T* bias, T* y, T* record);
template <typename T>
void norm_vjp_input(const Norm&, const T* x, const T* weight, const T* record, const T* gy, T* gx);
template <typename T>
void norm_vjp_weight(const Norm&, const T* x, const T* record, const T* gy, T* gweight);
template <typename T>
void norm_vjp_bias(const Norm&, const T* gy, T* gbias);
}  // namespace ref

namespace cpu {
/// As ref's, for inner = 1.
void norm(const Norm&, const float* x, const float* weight, const float* bias, float* y, float* record);
void norm_vjp_input(const Norm&, const float* x, const float* weight, const float* record, const float* gy,
                    float* gx);
void norm_vjp_weight(const Norm&, const float* x, const float* record, const float* gy, float* gweight);
void norm_vjp_bias(const Norm&, const float* gy, float* gbias);

/// Over the channels of blocked maps: outer images of ⌈length/16⌉ blocks of `inner` pixels. weight and bias:
/// (length).
void channel_norm(const Norm&, const float* x, const float* weight, const float* bias, float* y,
                  float* record);
void channel_norm_vjp_input(const Norm&, const float* x, const float* weight, const float* record,
                            const float* gy, float* gx);
void channel_norm_vjp_weight(const Norm&, const float* x, const float* record, const float* gy,
                             float* gweight);
void channel_norm_vjp_bias(const Norm&, const float* gy, float* gbias);
}  // namespace cpu

namespace device {  // norm.cu; as ref's
inline constexpr DeviceFunction<void(Norm, const float* x, const float* weight, const float* bias, float* y,
                                     float* record)>
    norm{"norm"};
inline constexpr DeviceFunction<void(Norm, const float* x, const float* weight, const float* record,
                                     const float* gy, float* gx)>
    norm_vjp_input{"norm_vjp_input"};
/// With x and record gweight, without (null) gbias. The sums are of channels (Norm::has_channels), or of the
/// columns of a matrix. scratch: parts.scratch_floats(weights()) floats.
inline constexpr DeviceFunction<void(Norm, Parts, const float* x, const float* record, const float* gy,
                                     float* g, float* scratch)>
    norm_vjp_weight{"norm_vjp_weight"};
}  // namespace device

/// The base of the three ops: operands input, weight, bias.
class NormOp : public Op {
 public:
  using Op::Op;
  /// The sizes for an input of this shape; throws UsageError where it does not fit.
  virtual Norm sizes(const Shape& input) const = 0;
  /// Shape of weight, and of bias if there is one.
  virtual Shape weight_shape(const Shape& input) const = 0;
  virtual bool affine() const { return true; }
  virtual bool has_bias() const { return affine(); }

  Shape shape(Shapes inputs) const override;
  std::vector<ParameterSpec> parameters(Shapes given) const override;
  std::optional<Window> window() const override { return std::nullopt; }
  std::optional<Record> record(Shapes inputs) const override;
  Needs needs(Direction) const override;
  Call prepare(Backend, Direction, Shapes inputs, const KernelOptions&) const override;
  int64_t accumulation_length(Direction, Shapes inputs) const override;
};
/// The table of kernels that they share.
std::vector<OpKind::Row> norm_kernels();

}  // namespace loupe
