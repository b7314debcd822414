#include "kernels/conv2d/conv2d.h"

#include "tests/support/op_suite.h"

namespace loupe::test {
namespace {

OpCase maps(std::string name, Shape input, Conv2d config) {
  return {std::move(name), conv2d(config), {input}};
}

Rejection refuses(std::string name, Shape input, Conv2d config, std::string message) {
  return {std::move(name), [=] { infer(conv2d(config), {input}); }, std::move(message)};
}

}  // namespace

extern const OpSuite conv2d_suite{
    .cases =
        {
            maps("1×1 kernel, 1×1 map", {1, 1, 1, 1}, {.out_channels = 1, .kernel = 1}),
            maps("1×1 kernel, a row of pixels longer than 112", {3, 17, 11, 13},
                 {.out_channels = 33, .kernel = 1}),
            maps("1×1 kernel on 1×1 maps", {3, 48, 1, 1}, {.out_channels = 16, .kernel = 1}),
            maps("1×1 kernel on 1×1 maps, ragged, no bias", {3, 37, 1, 1},
                 {.out_channels = 21, .kernel = 1, .bias = false}),
            maps("1×1 kernel on 1×1 maps, stride 2", {3, 17, 1, 1},
                 {.out_channels = 16, .kernel = 1, .stride = 2}),
            maps("1×1 kernel, stride 2", {3, 16, 7, 5}, {.out_channels = 15, .kernel = 1, .stride = 2}),
            maps("1×1 kernel, stride 3, padding 1", {1, 3, 5, 7},
                 {.out_channels = 16, .kernel = 1, .stride = 3, .padding = 1}),
            maps("3×3, padding 1, wider than a tile", {1, 3, 9, 31},
                 {.out_channels = 48, .kernel = 3, .padding = 1}),
            maps("3×3, padding 1, no bias", {3, 33, 5, 7},
                 {.out_channels = 17, .kernel = 3, .padding = 1, .bias = false}),
            maps("3×3 without padding", {1, 15, 6, 9}, {.out_channels = 3, .kernel = 3}),
            maps("3×3, stride 2, odd map", {3, 16, 9, 7},
                 {.out_channels = 16, .kernel = 3, .stride = 2, .padding = 1}),
            maps("3×3, stride 2, does not divide", {1, 3, 12, 10},
                 {.out_channels = 33, .kernel = 3, .stride = 2}),
            maps("7×7, stride 2, padding 3, three channels", {3, 3, 13, 15},
                 {.out_channels = 16, .kernel = 7, .stride = 2, .padding = 3}),
            maps("11×11, stride 4, padding 2", {1, 3, 23, 27},
                 {.out_channels = 17, .kernel = 11, .stride = 4, .padding = 2}),
            maps("stride larger than the kernel", {3, 3, 11, 14},
                 {.out_channels = 15, .kernel = 2, .stride = {3, 4}}),
            maps("stride larger than the map", {1, 1, 3, 2}, {.out_channels = 3, .kernel = 2, .stride = 5}),
            maps("asymmetric everything", {3, 17, 13, 12},
                 {.out_channels = 33,
                  .kernel = {2, 5},
                  .stride = {3, 1},
                  .padding = {1, 4},
                  .dilation = {3, 2}}),
            maps("dilation 2 and padding 2", {1, 16, 8, 9},
                 {.out_channels = 16, .kernel = 3, .padding = 2, .dilation = 2}),
            maps("dilation and stride share a factor: empty phases", {1, 3, 12, 11},
                 {.out_channels = 5, .kernel = 3, .stride = 2, .padding = 2, .dilation = 2}),
            maps("dilation 3, stride 2", {3, 3, 15, 13},
                 {.out_channels = 16, .kernel = 3, .stride = 2, .dilation = 3}),
            maps("a window larger than the map", {3, 3, 2, 3},
                 {.out_channels = 16, .kernel = 5, .padding = 2}),
            maps("taps that see padding alone", {1, 3, 1, 1}, {.out_channels = 1, .kernel = 3, .padding = 3}),
            maps("6×6 kernel covers the map: one output", {3, 15, 6, 6}, {.out_channels = 48, .kernel = 6}),
            maps("padding larger than the kernel", {1, 3, 4, 3},
                 {.out_channels = 3, .kernel = 2, .padding = {4, 3}}),
            maps("2 groups of whole blocks", {3, 32, 5, 6},
                 {.out_channels = 64, .kernel = 3, .padding = 1, .groups = 2}),
            maps("2 groups of 24: a block holds parts of both", {1, 48, 5, 5},
                 {.out_channels = 48, .kernel = 3, .padding = 1, .groups = 2}),
            maps("3 groups, 5 to 11 channels each", {3, 15, 6, 7},
                 {.out_channels = 33, .kernel = 3, .stride = 2, .groups = 3}),
            maps("3 groups of 16 to 1 channel", {1, 48, 4, 4}, {.out_channels = 3, .kernel = 1, .groups = 3}),
            maps("12 groups of 4 (ResNeXt)", {1, 48, 7, 7},
                 {.out_channels = 48, .kernel = 3, .padding = 1, .groups = 12}),
            maps("depthwise", {3, 33, 9, 17}, {.out_channels = 33, .kernel = 3, .padding = 1, .groups = 33}),
            maps("depthwise, stride 2", {1, 48, 8, 9},
                 {.out_channels = 48, .kernel = 3, .stride = 2, .padding = 1, .groups = 48}),
            maps("depthwise, 5×3, dilation 2", {1, 17, 12, 9},
                 {.out_channels = 17, .kernel = {5, 3}, .padding = {2, 1}, .dilation = 2, .groups = 17}),
            maps("depthwise with multiplier 2", {3, 17, 5, 5},
                 {.out_channels = 34, .kernel = 3, .padding = 1, .groups = 17}),
            // Each tile of the device kernels in each direction, ragged at both ends; the largest where a
            // layer just reaches it.
            maps("tiles of 64 × 64: forward, vjp_weight", {1, 8, 9, 9},
                 {.out_channels = 67, .kernel = 3, .padding = 1}),
            maps("tiles of 64 × 64: 4 phases of vjp_input in 2 groups", {1, 70, 16, 17},
                 {.out_channels = 4, .kernel = 3, .stride = 2, .padding = 1, .groups = 2}),
            maps("tiles of 64 × 64, maps read 16 bytes at a time", {2, 36, 10, 10},
                 {.out_channels = 66, .kernel = 1}),
            maps("tiles of 128 × 128: forward, maps read 16 bytes at a time", {1, 3, 32, 34},
                 {.out_channels = 98, .kernel = 1}),
            maps("tiles of 128 × 128: vjp_input", {1, 97, 33, 33}, {.out_channels = 9, .kernel = 1}),
            maps("tiles of 128 × 128: vjp_weight", {2, 41, 5, 6}, {.out_channels = 97, .kernel = 5}),
            // Sums over a batch's pixels, cut into parts on a device (kernels/reduce/parts.h).
            maps("two parts an image, the second one short", {2, 2, 41, 43},
                 {.out_channels = 3, .kernel = 3}),
            maps("two parts an image, maps of whole vectors", {1, 3, 40, 41},
                 {.out_channels = 2, .kernel = 1}),
            maps("a part for five images, the last one for two", {7, 3, 10, 20},
                 {.out_channels = 3, .kernel = 3, .padding = 1}),
            maps("depthwise, two parts an image", {2, 2, 41, 42},
                 {.out_channels = 2, .kernel = 2, .groups = 2}),
            maps("depthwise, a part for two images", {3, 3, 40, 41},
                 {.out_channels = 3, .kernel = 3, .padding = 1, .groups = 3}),
        },
    .rejections =
        {
            refuses("no images", {0, 3, 4, 4}, {.out_channels = 1, .kernel = 1}, "non-empty"),
            refuses("no channels", {1, 0, 4, 4}, {.out_channels = 1, .kernel = 1}, "non-empty"),
            refuses("an empty map", {1, 3, 0, 4}, {.out_channels = 1, .kernel = 1}, "non-empty"),
            refuses("vectors", {1, 3}, {.out_channels = 1, .kernel = 1}, "maps"),
            {"two inputs",
             [] { infer(conv2d({.out_channels = 1, .kernel = 1}), {{1, 3, 4, 4}, {1, 3, 4, 4}}); },
             "got 4 operands"},
            refuses("no output channels", {1, 3, 4, 4}, {.out_channels = 0, .kernel = 1}, "output channels"),
            refuses("kernel 0", {1, 3, 4, 4}, {.out_channels = 1, .kernel = {3, 0}}, "kernel"),
            refuses("stride 0", {1, 3, 4, 4}, {.out_channels = 1, .kernel = 1, .stride = {0, 1}}, "stride"),
            refuses("dilation 0", {1, 3, 4, 4}, {.out_channels = 1, .kernel = 1, .dilation = 0}, "dilation"),
            refuses("negative padding", {1, 3, 4, 4}, {.out_channels = 1, .kernel = 1, .padding = {0, -1}},
                    "padding"),
            refuses("groups 0", {1, 4, 4, 4}, {.out_channels = 4, .kernel = 1, .groups = 0}, "groups"),
            refuses("groups do not divide the input", {1, 3, 4, 4},
                    {.out_channels = 4, .kernel = 1, .groups = 2}, "2 groups"),
            refuses("groups do not divide the output", {1, 4, 4, 4},
                    {.out_channels = 3, .kernel = 1, .groups = 2}, "2 groups"),
            refuses("window larger than the padded map", {1, 3, 4, 4}, {.out_channels = 1, .kernel = 5},
                    "larger than"),
            refuses("dilated window too large", {1, 3, 4, 4}, {.out_channels = 1, .kernel = 3, .dilation = 2},
                    "larger than"),
            refuses("a kernel beyond 2^30", {1, 3, 4, 4}, {.out_channels = 1, .kernel = int64_t{1} << 62},
                    "kernel"),
            refuses("a weight of 2^60 elements", {1, 1 << 10, 4, 4},
                    {.out_channels = 1 << 30, .kernel = 1 << 10, .padding = 1 << 10}, "weight"),
            refuses("padding that fills memory", {1, 3, 4, 4},
                    {.out_channels = 1, .kernel = 1, .padding = 1 << 30}, "padded input"),
        },
    .linear = true,
};

}  // namespace loupe::test
