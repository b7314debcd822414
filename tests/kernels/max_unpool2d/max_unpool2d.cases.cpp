#include "kernels/max_unpool2d/max_unpool2d.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

// Switches are drawn from all cells of the window, those in the padding (which are skipped) too.
OpCase unpool(std::string name, MaxUnpool2d attributes, Shape input) {
  return {std::move(name),
          max_unpool2d(attributes),
          {input, input},
          {Draw::uniform, Draw::switches},
          attributes.kernel.h * attributes.kernel.w};
}

Rejection refuse(std::string name, MaxUnpool2d attributes, Shape input, Shape switches, std::string message) {
  return {std::move(name),
          [=] {
            infer(max_unpool2d(attributes), {input, switches}, {Dtype::f32, Dtype::u8});
          },
          std::move(message)};
}

}  // namespace

extern const OpSuite max_unpool2d_suite{
    .cases =
        {
            unpool("2×2", {.kernel = 2, .output = {8, 6}}, {1, 16, 4, 3}),
            unpool("2×2, rows of whole vectors", {.kernel = 2, .output = {6, 12}}, {3, 5, 3, 6}),
            unpool("2×2, rows of whole vectors, the last row alone", {.kernel = 2, .output = {5, 8}},
                   {1, 3, 3, 4}),
            unpool("2×2, rows of whole vectors, the last row unseen", {.kernel = 2, .output = {5, 8}},
                   {1, 3, 2, 4}),
            unpool("2×2, odd map", {.kernel = 2, .output = {7, 5}}, {3, 3, 3, 2}),
            unpool("3×3, stride 2, overlapping", {.kernel = 3, .stride = 2, .output = {9, 11}},
                   {1, 17, 4, 5}),
            unpool("3×3, stride 1, nine windows meet",
                   {.kernel = 3, .stride = 1, .padding = 1, .output = {5, 6}}, {1, 40, 5, 6}),
            unpool("size of ceil mode", {.kernel = 3, .stride = 2, .output = {8, 6}}, {1, 16, 4, 3}),
            unpool("oblong", {.kernel = {5, 2}, .stride = Pair{1, 3}, .padding = {2, 1}, .output = {4, 9}},
                   {3, 1, 4, 4}),
            unpool("dilation",
                   {.kernel = 3, .stride = 2, .padding = 1, .dilation = {2, 3}, .output = {9, 11}},
                   {1, 17, 4, 4}),
            unpool("1×1 map", {.kernel = 1, .output = 1}, {3, 40, 1, 1}),
            unpool("1×1 map, window larger than the map",
                   {.kernel = 3, .stride = 2, .padding = 1, .output = 1}, {1, 3, 1, 1}),
            unpool("256 cells", {.kernel = 16, .stride = 2, .output = {17, 18}}, {1, 5, 1, 2}),
        },
    .rejections =
        {
            refuse("no images", {.kernel = 2, .output = 4}, {0, 3, 2, 2}, {0, 3, 2, 2}, "non-empty"),
            refuse("switches of another shape", {.kernel = 2, .output = 4}, {1, 3, 2, 2}, {1, 3, 2, 1},
                   "differ in shape"),
            refuse("output 0", {.kernel = 2, .output = {0, 4}}, {1, 3, 2, 2}, {1, 3, 2, 2}, "at least 1×1"),
            refuse("output of another size", {.kernel = 2, .output = 6}, {1, 3, 2, 2}, {1, 3, 2, 2},
                   "gives 3×3"),
            refuse("kernel 0", {.kernel = 0, .output = 4}, {1, 3, 2, 2}, {1, 3, 2, 2},
                   "the kernel must be at least 1"),
            refuse("stride 0", {.kernel = 2, .stride = 0, .output = 4}, {1, 3, 2, 2}, {1, 3, 2, 2},
                   "the stride must be at least 1"),
            refuse("padding of more than half", {.kernel = 2, .padding = 2, .output = 4}, {1, 3, 2, 2},
                   {1, 3, 2, 2}, "more than half"),
            refuse("272 cells", {.kernel = {16, 17}, .output = {32, 34}}, {1, 3, 2, 2}, {1, 3, 2, 2},
                   "at most 256 cells"),
            {"switches that are floats",
             [] {
               infer(max_unpool2d({.kernel = 2, .output = 4}), {{1, 3, 2, 2}, {1, 3, 2, 2}});
             },
             "switches of u8, got f32"},
            {"no switches",
             [] {
               infer(max_unpool2d({.kernel = 2, .output = 4}), {{1, 3, 2, 2}});
             },
             "2 input"},
        },
    .linear = true,
};

}  // namespace loupe::test
