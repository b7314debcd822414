// What holds of every op. check_op() drives an OpSuite through the Op interface alone, in double on `ref` and
// in float on every backend that the op's table has, each call under the guards of op_call.h. It checks
//
//   agreement      every direction against ref in double, within a computed bound (below)
//   derivatives    every vjp against central differences of ref in double along dense random directions
//   adjoints       ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ of linear ops, exactly, on small integers
//   repeatability  an image's bytes do not depend on threads (1–5) or batch (1, 2, 7, 16; one batch where images
//                  meet: OpSuite::mixes_images, OpCase::unbatched); AVX2 and AVX-512 agree
//   variants       in place, without a tape, as a view, without one of several outputs: the same bits as the plain
//                  way
//   epilogues      whatever fuses() admits: the same bits as steps of their own, records too
//   layouts        all of that once in each layout, of an op that works in any
//   rejections     UsageError, one line, with the text asked for
//   the table      no cell without a case that reaches it; an empty cell is an Error naming op, direction and
//                  backend
//
// The bound on a float result. Let u = 2⁻²⁴ be float32's unit roundoff. A sum of n products, in any order and
// with or without fused multiply-add, is off by at most γ_n·Σ|aᵢbᵢ| with γ_n = nu/(1 − nu) (N. J. Higham,
// Accuracy and Stability of Numerical Algorithms, 2nd ed., §3.1); a sum in parts is one such order, in which
// each term passes through fewer additions. So with n = Op::accumulation_length() + 4 +
// 2·OpSuite::function_ulps, where 4 covers the few roundings beside the sum (a bias, a scale, the final
// store) and an ulp of a function is at most 2u,
//
//   |float32 result − exact result| ≤ γ_n·M,
//
// where M, for each element, is the sum of the magnitudes of its terms. M is computed: it is the op itself,
// in double, on the absolute values of operands and dL/dy (a mean is subtracted, so it enters negative), or
// |y| where that is larger. An op whose terms neither bounds (softmax's vjp subtracts) says so itself, in
// OpSuite::magnitude. ref in double is itself off by γ_n in double's u, 2⁻⁵³, which is 2⁻²⁹ of the bound:
// neglected.
//
// The bound on a central difference. With D(h) = (f(x + hd) − f(x − hd)) / 2h, (4D(h) − D(2h))/3 is off by
// O(h⁴) from truncation, far below |D(2h) − D(h)|, and by 3/2·γ_n·S/h from rounding, S = Σ|vᵢ|Mᵢ with f =
// Σvᵢyᵢ and γ_n in double; h is 2⁻¹³. The vjp adds its own γ_n. The sum must stay below 10⁻⁵ of the
// magnitudes, or the check says that it cannot see.
#pragma once
#include <string>
#include <vector>

#include "kernels/common/ladder.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

/// Every way in which `suite` fails, one line each: op, case, check, element, what was expected, what came.
std::vector<std::string> check_op(const OpKind& kind, const OpSuite& suite);
/// Of a device alone (sim or cuda), against ref; its kernels run in memory of the device, and on sim in
/// several schedules.
std::vector<std::string> check_op_on(Backend device, const OpKind& kind, const OpSuite& suite);
/// A rung's kernels in the place of the op's own: agreement with ref and repeatability.
std::vector<std::string> check_rung_on(Backend device, const OpKind& kind, const OpSuite& suite,
                                       const Rung& rung);

}  // namespace loupe::test
