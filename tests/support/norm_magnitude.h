// Bounds for the suites of layer_norm, rms_norm and group_norm: the magnitude of the terms behind each result (op_suite.h).
#pragma once
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

/// A rounding of the mean moves x − μ by that of mean |x|, and 1/√(σ² + eps) follows σ² to first order in its relative error
/// alone (the differences add up to zero): so forward's terms are (|x − μ| + mean |x|) · r · |weight| + |bias|, those of the vjp
/// to the input r · (|h| + mean |h| + |x̂| · mean |h · x̂|) with h = gy · weight, and those to the weight Σ |gy · x̂|.
std::vector<double> norm_magnitude(const OpCase&, Direction, const Operands&);
/// The record: max |x|, which is no less than mean |x|, for μ; the relative error of r.
std::vector<double> norm_record_magnitude(const Operands&);

}  // namespace loupe::test
