#include "kernels/batch_norm/batch_norm.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

Rejection refuse(std::string name, BatchNorm attributes, Shape input, std::string message) {
  return {std::move(name), [=] { infer(batch_norm(attributes), {input}); }, std::move(message)};
}

}  // namespace

extern const OpSuite batch_norm_suite{
    .cases =
        {
            {"one channel", batch_norm(), {{1, 1, 5, 3}}},
            {"3 channels", batch_norm(), {{3, 3, 5, 4}}},
            {"one block", batch_norm(), {{1, 16, 3, 7}}},
            {"17 channels, large eps", batch_norm({.eps = 0.5}), {{3, 17, 4, 3}}},
            {"40 channels, no eps", batch_norm({.eps = 0}), {{1, 40, 6, 5}}},
            {"1×1 map", batch_norm(), {{3, 40, 1, 1}}},
            {"vectors (N, C)", batch_norm(), {{3, 17}}},
            {"a map of more than one task", batch_norm(), {{1, 1, 33, 34}}},
            {"sums in parts: two an image", batch_norm(), {{2, 2, 40, 41}}},
            {"sums in parts: one for five images", batch_norm(), {{7, 2, 9, 23}}},
        },
    .rejections =
        {
            refuse("no images", {}, {0, 3, 4, 4}, "(0, 3, 4, 4)"),
            refuse("no channels", {}, {1, 0, 4, 4}, "non-empty"),
            refuse("of rank 3", {}, {1, 3, 4}, "(1, 3, 4)"),
            refuse("negative eps", {.eps = -1e-5}, {1, 3, 4, 4}, "eps must be 0 or more"),
        },
    // Roundings beside the sum: eps and variance + eps (halved by the root), the root, the quotient, x −
    // mean, and the fma: 6 of half an ulp, of which the bound has 4 already.
    .function_ulps = 2,
    // The usual one: x meets nothing but the mean, which is subtracted.
    .magnitude = [](const OpCase&, Direction, const Operands&) { return std::vector<double>(); },
};

}  // namespace loupe::test
