// Noisy linear imputation: removed pixels become what their neighbours would lead to expect.
#pragma once
#include <cstdint>
#include <span>

#include "engine/tensor/tensor.h"
#include "kernels/common/draws.h"

namespace loupe {

/// x (1, C, H, W) with each of these pixels replaced by the weighted mean of its eight neighbours, direct
/// ones 1/6 and diagonal ones 1/12 (at the picture's edge the weights of those that are there are made to
/// sum to 1), all removed pixels at once; then `noise` times a normal draw is added, number c·H·W + p of the
/// name "road" for channel c of pixel p. Rong, Leemann, Borisov, Kasneci & Kasneci 2022, "A consistent and
/// efficient evaluation strategy for attribution methods", noisy linear imputation; `noise` as in their
/// programs.
///
/// The means are a sparse system with the matrix of a graph's Laplacian, symmetric and positive definite as
/// long as one pixel stays, solved by its factors L·D·Lᵀ in double, once for all channels. In f64 or f32, as
/// x. Throws UsageError where no pixel stays.
Tensor impute(const Tensor& x, std::span<const int64_t> removed, double noise = 0.01,
              const Draws& draws = Draws());

}  // namespace loupe
