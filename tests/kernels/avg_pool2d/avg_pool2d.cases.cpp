#include "kernels/avg_pool2d/avg_pool2d.h"

#include "tests/support/mean_scale.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

OpCase pool(std::string name, AvgPool2d attributes, Shape input) {
  return {std::move(name), avg_pool2d(attributes), {input}};
}

Rejection refuse(std::string name, AvgPool2d attributes, Shape input, std::string message) {
  return {std::move(name), [=] { infer(avg_pool2d(attributes), {input}); }, std::move(message)};
}

}  // namespace

extern const OpSuite avg_pool2d_suite{
    .cases =
        {
            pool("2×2, even map", {.kernel = 2}, {1, 16, 8, 8}),
            pool("2×2, odd map", {.kernel = 2}, {3, 3, 7, 5}),
            pool("3×3, stride 2, overlapping", {.kernel = 3, .stride = 2}, {1, 17, 9, 11}),
            pool("padding counted", {.kernel = 3, .stride = 2, .padding = 1}, {1, 40, 7, 6}),
            pool("padding not counted", {.kernel = 3, .stride = 2, .padding = 1, .count_include_pad = false},
                 {3, 16, 7, 6}),
            pool("ceil, overhanging the map", {.kernel = 3, .stride = 2, .ceil_mode = true}, {1, 17, 8, 6}),
            pool("ceil, overhanging the padding, which counts",
                 {.kernel = 5, .stride = 3, .padding = 2, .ceil_mode = true}, {1, 3, 7, 8}),
            pool("ceil, padding not counted",
                 {.kernel = 5, .stride = 3, .padding = 2, .ceil_mode = true, .count_include_pad = false},
                 {1, 3, 7, 8}),
            pool("ceil, window larger than the map", {.kernel = 4, .stride = 3, .ceil_mode = true},
                 {1, 5, 2, 3}),
            pool("a divisor of its own", {.kernel = 3, .stride = 1, .padding = 1, .divisor = 7},
                 {3, 1, 4, 5}),
            pool("oblong window, strides and padding",
                 {.kernel = {5, 2}, .stride = Pair{1, 3}, .padding = {2, 1}}, {1, 17, 4, 9}),
            pool("1×1 map", {.kernel = 1}, {3, 40, 1, 1}),
            pool("1×1 map, window larger than the map", {.kernel = 3, .stride = 2, .padding = 1},
                 {1, 16, 1, 1}),
            pool("stride larger than the window", {.kernel = 2, .stride = 4}, {1, 1, 9, 10}),
            pool("a window of more than 256 cells", {.kernel = 17}, {1, 3, 18, 19}),
        },
    .rejections =
        {
            refuse("no images", {.kernel = 2}, {0, 3, 4, 4}, "(0, 3, 4, 4)"),
            refuse("empty map", {.kernel = 2}, {1, 3, 4, 0}, "non-empty"),
            refuse("not maps", {.kernel = 2}, {1, 3, 4}, "(N, C, H, W)"),
            refuse("kernel 0", {.kernel = 0}, {1, 3, 4, 4}, "the kernel must be at least 1"),
            refuse("stride 0", {.kernel = 2, .stride = Pair{1, 0}}, {1, 3, 4, 4},
                   "the stride must be at least 1"),
            refuse("negative padding", {.kernel = 2, .padding = -1}, {1, 3, 4, 4},
                   "the padding must be 0 or more"),
            refuse("padding of more than half", {.kernel = 3, .padding = {2, 0}}, {1, 3, 4, 4},
                   "more than half of the kernel"),
            refuse("window larger than the map", {.kernel = 5, .padding = 1}, {1, 3, 2, 9},
                   "larger than the 2×9 map"),
            refuse("divisor 0", {.kernel = 2, .divisor = 0}, {1, 3, 4, 4}, "the divisor must be at least 1"),
        },
    .linear = true,
    .adjoint_scale = mean_scale,
};

}  // namespace loupe::test
