#include "kernels/rotary/rotary.h"

#include <cmath>

#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {
namespace {

OpCase turned(std::string name, Shape x, Rotary r) {
  return {.name = std::move(name), .op = rotary(r), .inputs = {x}};
}

// A result's terms are |a·cos| and |b·sin| of its pair: at most |a| + |b|, of which the largest of a row is a bound.
// Sines and cosines are rounded to float32, half an ulp of at most 1 each.
std::vector<double> largest_of_row(const OpCase& test, Direction d, const Operands& o) {
  const Numbers& x = d.is_forward() ? o.inputs[0] : o.grad_output;
  const auto row = static_cast<size_t>(test.inputs[0].back());
  Numbers m(x.size());
  for (size_t begin = 0; begin < x.size(); begin += row) {
    double most = 0;
    for (size_t i = begin; i < begin + row; ++i) most = std::max(most, std::fabs(x[i]));
    for (size_t i = begin; i < begin + row; ++i) m[i] = 2 * most;
  }
  return m;
}

}  // namespace

extern const OpSuite rotary_suite{
    .cases = {turned("halves", {2, 5, 24}, {.width = 8}),
              turned("interleaved", {2, 7, 12}, {.width = 4, .interleaved = true}),
              turned("one pair, far away", {1, 3, 6}, {.width = 2, .offset = 8000}),
              turned("a part of each head", {3, 4, 30}, {.width = 10, .base = 500, .turned = 6}),
              turned("a part, interleaved", {1, 9, 14},
                     {.width = 7, .interleaved = true, .offset = 3, .turned = 2}),
              turned("SmolLM2's keys", {1, 40, 192}, {.width = 64, .base = 100000, .interleaved = true})},
    .rejections =
        {
            {"odd width", [] { rotary({.width = 5}); }, "an even number of a head's channels, got 5 of 5"},
            {"more than there are", [] { rotary({.width = 4, .turned = 6}); }, "got 6 of 4"},
            {"no base", [] { rotary({.width = 4, .base = 0}); }, "a finite base above 0"},
            {"before the first position", [] { rotary({.width = 4, .offset = -1}); },
             "an offset of 0 or more"},
            {"no whole heads",
             [] {
               infer(rotary({.width = 4}), {{1, 2, 6}});
             },
             "(N, L, heads · 4), got (1, 2, 6)"},
            {"no rows",
             [] {
               infer(rotary({.width = 4}), {{1, 0, 8}});
             },
             "non-empty"},
        },
    .function_ulps = 1,
    .magnitude = largest_of_row,
};

}  // namespace loupe::test
