#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"

#include "tests/support/mean_scale.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

OpCase pool(std::string name, Pair output, Shape input) {
  return {std::move(name), adaptive_avg_pool2d(output), {input}};
}

Rejection refuse(std::string name, Pair output, Shape input, std::string message) {
  return {std::move(name), [=] { infer(adaptive_avg_pool2d(output), {input}); }, std::move(message)};
}

}  // namespace

extern const OpSuite adaptive_avg_pool2d_suite{
    .cases =
        {
            {"global", global_avg_pool2d(), {{3, 17, 7, 5}}},
            {"global, whole vectors", global_avg_pool2d(), {{3, 11, 8, 9}}},
            {"global, 1×1 map", global_avg_pool2d(), {{1, 40, 1, 1}}},
            {"global, one channel", global_avg_pool2d(), {{1, 1, 13, 13}}},
            pool("the map's own size", 6, {1, 16, 6, 6}),
            pool("windows that divide the map", {3, 2}, {3, 3, 9, 8}),
            pool("large windows", {2, 3}, {3, 3, 16, 19}),
            pool("overlapping windows of two sizes", {3, 5}, {1, 17, 7, 8}),
            pool("larger than the map", {7, 5}, {1, 40, 3, 2}),
            pool("larger one way only", {2, 6}, {3, 16, 5, 4}),
            pool("from a 1×1 map", 7, {1, 3, 1, 1}),
        },
    .rejections =
        {
            refuse("no images", 1, {0, 3, 4, 4}, "(0, 3, 4, 4)"),
            refuse("empty map", 1, {1, 3, 0, 0}, "non-empty"),
            refuse("not maps", 1, {1, 3}, "(N, C, H, W)"),
            refuse("output 0", {0, 2}, {1, 3, 4, 4}, "at least 1×1"),
            refuse("negative output", {2, -3}, {1, 3, 4, 4}, "got 2×-3"),
            refuse("huge output", int64_t{1} << 40, {1, 3, 4, 4}, "at most 2^30"),
        },
    .linear = true,
    .adjoint_scale = mean_scale,
};

}  // namespace loupe::test
