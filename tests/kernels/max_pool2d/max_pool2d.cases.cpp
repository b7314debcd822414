#include "kernels/max_pool2d/max_pool2d.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

OpCase pool(std::string name, MaxPool2d attributes, Shape input) {
  return {std::move(name), max_pool2d(attributes), {input}, {Draw::distinct}};  // no ties: a tie is a kink
}

Rejection refuse(std::string name, MaxPool2d attributes, Shape input, std::string message) {
  return {std::move(name), [=] { infer(max_pool2d(attributes), {input}); }, std::move(message)};
}

}  // namespace

extern const OpSuite max_pool2d_suite{
    .cases =
        {
            pool("2×2, even map", {.kernel = 2}, {1, 16, 8, 8}),
            pool("2×2, odd map, last row and column unseen", {.kernel = 2}, {3, 3, 7, 5}),
            pool("2×2, rows of whole vectors", {.kernel = 2}, {3, 5, 6, 12}),
            pool("2×2, rows of whole vectors, the last row alone", {.kernel = 2, .ceil_mode = true},
                 {1, 3, 5, 8}),
            pool("2×2, rows of whole vectors, the last row unseen", {.kernel = 2}, {1, 3, 5, 8}),
            pool("3×3, stride 2, overlapping", {.kernel = 3, .stride = 2}, {1, 17, 9, 11}),
            pool("3×3, stride 2, both maps of whole vectors", {.kernel = 3, .stride = 2, .padding = 1},
                 {1, 2, 20, 72}),
            pool("3×3, stride 2, ceil, overhanging", {.kernel = 3, .stride = 2, .ceil_mode = true},
                 {1, 40, 8, 6}),
            pool("3×3, stride 2, padding 1, ceil",
                 {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true}, {3, 1, 6, 7}),
            pool("3×3, stride 1, padding 1", {.kernel = 3, .stride = 1, .padding = 1}, {1, 16, 5, 6}),
            pool("ceil, last window would begin in the padding",
                 {.kernel = 2, .stride = 3, .padding = 1, .ceil_mode = true}, {1, 3, 5, 8}),
            pool("ceil, window larger than the map", {.kernel = 4, .stride = 3, .ceil_mode = true},
                 {1, 5, 2, 3}),
            pool("oblong window, strides and padding",
                 {.kernel = {5, 2}, .stride = Pair{1, 3}, .padding = {2, 1}}, {3, 17, 4, 9}),
            pool("dilation 2×3", {.kernel = 3, .stride = 2, .padding = 1, .dilation = {2, 3}},
                 {1, 16, 9, 11}),
            pool("dilation and ceil", {.kernel = 2, .stride = 3, .dilation = 2, .ceil_mode = true},
                 {1, 3, 7, 8}),
            pool("1×1 map", {.kernel = 1}, {3, 40, 1, 1}),
            pool("1×1 map, window larger than the map", {.kernel = 3, .stride = 2, .padding = 1},
                 {1, 17, 1, 1}),
            pool("2×1 map, window larger than the map", {.kernel = 5, .stride = 2, .padding = 2},
                 {3, 3, 2, 1}),
            pool("stride larger than the window", {.kernel = 2, .stride = 4}, {1, 1, 9, 10}),
            pool("256 cells", {.kernel = 16, .stride = 2}, {1, 3, 17, 18}),
        },
    .rejections =
        {
            refuse("no images", {.kernel = 2}, {0, 3, 4, 4}, "(0, 3, 4, 4)"),
            refuse("no channels", {.kernel = 2}, {1, 0, 4, 4}, "non-empty"),
            refuse("empty map", {.kernel = 2}, {1, 3, 0, 4}, "non-empty"),
            refuse("not maps", {.kernel = 2}, {1, 3}, "(N, C, H, W)"),
            refuse("kernel 0", {.kernel = {0, 2}}, {1, 3, 4, 4}, "the kernel must be at least 1"),
            refuse("stride 0", {.kernel = 2, .stride = 0}, {1, 3, 4, 4}, "the stride must be at least 1"),
            refuse("negative padding", {.kernel = 2, .padding = {0, -1}}, {1, 3, 4, 4},
                   "the padding must be 0 or more"),
            refuse("dilation 0", {.kernel = 2, .dilation = 0}, {1, 3, 4, 4},
                   "the dilation must be at least 1"),
            refuse("padding of more than half", {.kernel = 3, .padding = 2}, {1, 3, 4, 4},
                   "more than half of the kernel 3×3"),
            refuse("window larger than the map", {.kernel = 5, .padding = 1}, {1, 3, 2, 9},
                   "larger than the 2×9 map"),
            refuse("257 cells", {.kernel = {257, 1}}, {1, 3, 300, 4}, "at most 256 cells"),
            refuse("huge kernel", {.kernel = int64_t{1} << 40}, {1, 3, 4, 4}, "at most 2^30"),
            {"two inputs",
             [] {
               infer(max_pool2d({.kernel = 2}), {{1, 3, 4, 4}, {1, 3, 4, 4}});
             },
             "1 input"},
        },
    .exact = true,  // it compares and copies
};

}  // namespace loupe::test
