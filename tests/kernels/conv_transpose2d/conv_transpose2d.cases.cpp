#include "kernels/conv_transpose2d/conv_transpose2d.h"

#include "tests/support/op_suite.h"

namespace loupe::test {
namespace {

OpCase maps(std::string name, Shape input, ConvTranspose2d config) {
  return {std::move(name), conv_transpose2d(config), {input}};
}

Rejection refuses(std::string name, Shape input, ConvTranspose2d config, std::string message) {
  return {std::move(name), [=] { infer(conv_transpose2d(config), {input}); }, std::move(message)};
}

}  // namespace

extern const OpSuite conv_transpose2d_suite{
    .cases =
        {
            maps("1×1 kernel, 1×1 map", {1, 1, 1, 1}, {.out_channels = 1, .kernel = 1}),
            maps("1×1 kernel", {3, 17, 5, 7}, {.out_channels = 33, .kernel = 1}),
            maps("3×3, stride 1, padding 1", {3, 16, 5, 7}, {.out_channels = 15, .kernel = 3, .padding = 1}),
            maps("3×3, stride 1, no padding: the map grows", {1, 3, 4, 15},
                 {.out_channels = 48, .kernel = 3}),
            maps("2×2, stride 2: every phase has one tap", {3, 33, 3, 4},
                 {.out_channels = 16, .kernel = 2, .stride = 2}),
            maps("3×3, stride 2, output padding 1", {1, 16, 5, 4},
                 {.out_channels = 17, .kernel = 3, .stride = 2, .padding = 1, .output_padding = 1}),
            maps("4×4, stride 2, padding 1", {3, 3, 5, 6},
                 {.out_channels = 3, .kernel = 4, .stride = 2, .padding = 1}),
            maps("stride larger than the kernel: cells of bias alone", {3, 3, 3, 2},
                 {.out_channels = 16, .kernel = 2, .stride = {4, 3}, .output_padding = {3, 0}}),
            maps("asymmetric everything", {3, 17, 4, 5},
                 {.out_channels = 33,
                  .kernel = {2, 5},
                  .stride = {3, 1},
                  .padding = {1, 2},
                  .output_padding = {2, 1},
                  .dilation = {2, 3}}),
            maps("output padding as large as the stride allows by dilation", {1, 3, 3, 3},
                 {.out_channels = 5, .kernel = 3, .stride = 2, .output_padding = {3, 2}, .dilation = 4}),
            maps("dilation and stride share a factor", {1, 3, 5, 4},
                 {.out_channels = 5, .kernel = 3, .stride = 2, .padding = 1, .dilation = 2}),
            maps("padding crops more than the kernel adds", {1, 3, 6, 7},
                 {.out_channels = 3, .kernel = 2, .padding = {2, 1}}),
            maps("2 groups", {3, 32, 4, 4},
                 {.out_channels = 32, .kernel = 3, .stride = 2, .padding = 1, .groups = 2}),
            maps("3 groups, 5 to 11 channels each", {3, 15, 3, 4},
                 {.out_channels = 33, .kernel = 3, .stride = 2, .groups = 3}),
            maps("depthwise, stride 2 (bilinear upsampling)", {1, 17, 5, 5},
                 {.out_channels = 17, .kernel = 4, .stride = 2, .padding = 1, .groups = 17, .bias = false}),
            maps("sums in parts: two an image", {2, 2, 40, 41},
                 {.out_channels = 2, .kernel = 2, .stride = 2}),
            maps("sums in parts: one for five images", {7, 2, 10, 20}, {.out_channels = 3, .kernel = 1}),
        },
    .rejections =
        {
            refuses("no images", {0, 3, 4, 4}, {.out_channels = 1, .kernel = 1}, "non-empty"),
            refuses("an empty map", {1, 3, 4, 0}, {.out_channels = 1, .kernel = 1}, "non-empty"),
            refuses("kernel 0", {1, 3, 4, 4}, {.out_channels = 1, .kernel = 0}, "kernel"),
            refuses("stride 0", {1, 3, 4, 4}, {.out_channels = 1, .kernel = 1, .stride = 0}, "stride"),
            refuses("dilation 0", {1, 3, 4, 4}, {.out_channels = 1, .kernel = 1, .dilation = 0}, "dilation"),
            refuses("negative padding", {1, 3, 4, 4}, {.out_channels = 1, .kernel = 1, .padding = -1},
                    "padding"),
            refuses("groups do not divide", {1, 3, 4, 4}, {.out_channels = 4, .kernel = 1, .groups = 2},
                    "2 groups"),
            refuses("output padding as large as the stride", {1, 3, 4, 4},
                    {.out_channels = 1, .kernel = 3, .stride = 2, .output_padding = 2}, "output padding"),
            refuses("negative output padding", {1, 3, 4, 4},
                    {.out_channels = 1, .kernel = 3, .stride = 2, .output_padding = {0, -1}},
                    "output padding"),
            refuses("padding leaves nothing", {1, 3, 2, 2}, {.out_channels = 1, .kernel = 2, .padding = 2},
                    "leaves nothing"),
            refuses("a stride that fills memory", {1, 1, 1 << 10, 1 << 10},
                    {.out_channels = 1, .kernel = 1, .stride = 1 << 29}, "output"),
        },
    .linear = true,
};

}  // namespace loupe::test
