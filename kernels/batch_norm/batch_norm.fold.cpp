#include <cmath>

#include "kernels/batch_norm/batch_norm.h"

namespace loupe {

template <typename T>
FoldedBatchNorm<T> fold_batch_norm(double eps, std::span<const T> gamma, std::span<const T> beta,
                                   std::span<const T> mean, std::span<const T> variance,
                                   std::span<const T> weight, const Shape& weight_shape, int dim,
                                   std::span<const T> bias) {
  const size_t channels = gamma.size();
  const bool fits = beta.size() == channels && mean.size() == channels && variance.size() == channels &&
                    (bias.empty() || bias.size() == channels) && dim >= 0 && dim < weight_shape.rank() &&
                    weight_shape[dim] == static_cast<int64_t>(channels) &&
                    weight_shape.numel() == static_cast<int64_t>(weight.size());
  if (!fits)
    throw Error("cannot fold a batch norm of " + std::to_string(channels) + " channels into a weight " +
                weight_shape.str() + " with its output channels in dimension " + std::to_string(dim));

  FoldedBatchNorm<T> folded{std::vector<T>(weight.size()), std::vector<T>(channels)};
  std::vector<double> scale(channels);
  for (size_t o = 0; o < channels; ++o) {
    scale[o] = static_cast<double>(gamma[o]) / std::sqrt(static_cast<double>(variance[o]) + eps);
    const double from = bias.empty() ? 0.0 : static_cast<double>(bias[o]);
    folded.bias[o] =
        static_cast<T>((from - static_cast<double>(mean[o])) * scale[o] + static_cast<double>(beta[o]));
  }
  size_t inner = 1;  // elements between one output channel and the next
  for (int i = dim + 1; i < weight_shape.rank(); ++i) inner *= static_cast<size_t>(weight_shape[i]);
  for (size_t i = 0; i < weight.size(); ++i)
    folded.weight[i] = static_cast<T>(static_cast<double>(weight[i]) * scale[i / inner % channels]);
  return folded;
}

template FoldedBatchNorm<float> fold_batch_norm(double, std::span<const float>, std::span<const float>,
                                                std::span<const float>, std::span<const float>,
                                                std::span<const float>, const Shape&, int,
                                                std::span<const float>);
template FoldedBatchNorm<double> fold_batch_norm(double, std::span<const double>, std::span<const double>,
                                                 std::span<const double>, std::span<const double>,
                                                 std::span<const double>, const Shape&, int,
                                                 std::span<const double>);

}  // namespace loupe
