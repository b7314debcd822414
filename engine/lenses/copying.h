// Whether an attention head copies: its OV circuit, through the vocabulary.
#pragma once
#include "engine/tensor/tensor.h"

namespace loupe {

/// Σλ/Σ|λ| over the eigenvalues of W_U·W_O·W_V·W_E, which says of each token that is attended to how much it raises the
/// score of each (Elhage et al. 2021, "A mathematical framework for transformer circuits"): 1 where every direction is
/// raised by itself, −1 where it is lowered, 0 of a matrix of zeros. value (width, stream) is W_V; output (stream, width)
/// W_O; tokens and logits (vocabulary, stream) are W_E and W_U, with what norms multiply folded in. In double, and never
/// with a matrix of vocabulary²: the eigenvalues that are not 0 are those of W_V·W_E·W_U·W_O (width, width).
double copying_score(const Tensor& value, const Tensor& output, const Tensor& tokens, const Tensor& logits);

}  // namespace loupe
