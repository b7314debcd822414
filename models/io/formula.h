// Formula weights: every parameter of a network computed from its name, so that any architecture runs without
// a file and two programs can compare results without exchanging one. tests/oracle/formula_weights.py is the
// same in Python.
//
//     u_i = (splitmix64(fnv1a64(name) + i) >> 11) / 2^53        in [0, 1), i = flat row-major index
//     weight, table       (2u - 1)·sqrt(6 / fan_in), fan_in the product of all sizes but the first
//     bias                (2u - 1)·0.05
//     norm weight, variance   0.5 + u
//     norm bias, mean     (2u - 1)·0.1
//     input               (2u - 1)·2
//
// in double, rounded once to float.
#pragma once
#include <string_view>

#include "engine/tensor/tensor.h"
#include "kernels/common/op.h"

namespace loupe {

/// The parameter with the full name `name` ("features.0.weight"); float32. Throws Error for a weight or table
/// of rank below 2.
Tensor formula_weight(std::string_view name, const Shape& shape, ParameterSpec::Role role);
/// The input batch of this shape, (N, 3, H, W); float32 in [-2, 2).
Tensor formula_input(const Shape& shape);

}  // namespace loupe
