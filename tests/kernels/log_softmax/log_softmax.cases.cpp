#include <cmath>

#include "kernels/softmax/softmax.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

// Forward: (x − max) and −log Σ have one sign, so |y| bounds both; the relative error of Σ is an absolute one
// of its logarithm, hence the 1. Backward: the terms are g_c and exp(y_c)·Σ g_k.
std::vector<double> magnitude(const OpCase& test, Direction direction, const Operands& o) {
  const SoftmaxSizes s = static_cast<const SoftmaxOp&>(*test.op).sizes(o.shapes[0]);
  const auto at = [&](int64_t n, int64_t k, int64_t p) {
    return static_cast<size_t>((n * s.c + k) * s.pixels + p);
  };
  Numbers m(static_cast<size_t>(o.shapes[0].numel()));
  const bool forward = direction == Direction::forward;
  const Numbers y = forward ? Numbers() : o.output->numbers();
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t p = 0; p < s.pixels; ++p) {
      double max = -INFINITY, exponentials = 0, signal = 0;
      for (int64_t k = 0; k < s.c; ++k) max = std::max(max, o.inputs[0][at(n, k, p)]);
      for (int64_t k = 0; k < s.c; ++k) exponentials += std::exp(o.inputs[0][at(n, k, p)] - max);
      for (int64_t k = 0; k < s.c; ++k) signal += std::fabs(o.grad_output[at(n, k, p)]);
      for (int64_t k = 0; k < s.c; ++k) {
        const size_t i = at(n, k, p);
        m[i] = forward ? 1 + max - o.inputs[0][i] + std::log(exponentials)
                       : std::fabs(o.grad_output[i]) + std::exp(y[i]) * signal;
      }
    }
  return m;
}

}  // namespace

// 4 ulps: exp and log within 1 ulp of the C library's each, and the rounding of x − max (at most 2 for draws
// in [-1, 1)) moves exp by 1 more; 1 for what remains.
extern const OpSuite log_softmax_suite{
    .cases = {{"vectors, batch 3", log_softmax(), {{3, 37}}},
              {"a thousand classes", log_softmax(), {{1, 1000}}},
              {"more than a warp's share", log_softmax(), {{3, 1033}}},
              {"more than a warp's share, whole vectors", log_softmax(), {{1, 2100}}},
              {"more rows than a block takes", log_softmax(), {{10, 12}}},
              {"whole blocks", log_softmax(), {{1, 32}}},
              {"odd map", log_softmax(), {{3, 5, 3, 5}}},
              {"map, several blocks", log_softmax(), {{1, 35, 3, 3}}},
              {"1×1 map", log_softmax(), {{3, 21, 1, 1}}},
              {"one channel", log_softmax(), {{1, 1, 2, 3}}},
              {"the last axis of vectors", log_softmax(-1), {{3, 37}}},
              {"tokens, axis 1", log_softmax(), {{2, 11, 5}}},
              {"tokens, axis 1, more than a block of them", log_softmax(), {{2, 7, 37}}},
              {"the last axis of tokens", log_softmax(-1), {{2, 3, 83}}},
              {"the keys of attention", log_softmax(-1), {{2, 3, 5, 50}}},
              {"the keys of attention, whole blocks", log_softmax(3), {{1, 2, 3, 64}}},
              {"axis 2 of 5", log_softmax(2), {{2, 3, 7, 5, 4}}},
              {.name = "over the batch", .op = log_softmax(0), .inputs = {{6, 5}}, .unbatched = 1}},
    .rejections = {{"no class",
                    [] {
                      infer(log_softmax(), {{1, 0}});
                    },
                    "log_softmax takes a non-empty input, got (1, 0)"},
                   {"no such axis",
                    [] {
                      infer(log_softmax(3), {{1, 2, 3}});
                    },
                    "(1, 2, 3) has no axis 3"},
                   {"no axis 1", [] { infer(log_softmax(), {{4}}); }, "(4) has no axis 1"},
                   {"two inputs",
                    [] {
                      infer(log_softmax(), {{1, 2}, {1, 2}});
                    },
                    "1 input(s), got 2"}},
    .function_ulps = 4,
    .magnitude = magnitude,
};

}  // namespace loupe::test
