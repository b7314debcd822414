#include "kernels/layer_norm/layer_norm.h"

#include "tests/kernels/layer_norm/norm_magnitude.h"

namespace loupe::test {
namespace {

OpCase normed(std::string name, Shape input, LayerNorm config = {}) {
  return {.name = std::move(name), .op = layer_norm(config), .inputs = {input}};
}
OpCase channels(std::string name, Shape input, LayerNorm config = {}) {
  config.channels = true;
  return normed(std::move(name), input, config);
}

Rejection refuses(std::string name, Shape input, LayerNorm config, std::string message) {
  return {std::move(name), [=] { infer(layer_norm(config), {input}); }, std::move(message)};
}

}  // namespace

// Roundings beside the sums: those of the variance (the square, eps, the root: half of each counts), the
// reciprocal, two subtractions, products by r, by the weight, and of the vjp by the mean: 8 of half an ulp,
// of which the bound has 4 already.
extern const OpSuite layer_norm_suite{
    .cases =
        {
            normed("vectors", {3, 37}),
            normed("vectors of whole blocks", {3, 64}),
            normed("tokens", {2, 5, 48}),
            normed("tokens, more than four blocks and a part", {2, 3, 85}, {.eps = 1e-6}),
            normed("without weight and bias", {2, 5, 20}, {.affine = false}),
            normed("more than a warp's share", {2, 2, 1033}),
            normed("more than a warp's share, whole vectors", {1, 2, 2100}),
            normed("more rows than a line", {3, 50, 19}),
            normed("one element", {2, 3, 1}, {.eps = 0.5}),
            normed("large eps", {2, 3, 12}, {.eps = 2}),
            normed("two axes", {2, 3, 4, 5}, {.axes = 2}),
            normed("three axes, nothing before them but the batch", {3, 2, 4, 5}, {.axes = 3}),
            normed("the last axis of maps", {2, 3, 4, 18}),
            channels("channels of an odd map", {3, 5, 3, 5}),
            channels("channels, whole blocks", {1, 32, 3, 3}),
            channels("channels, a part of the third block", {2, 35, 3, 7}, {.eps = 1e-6}),
            channels("channels of 1×1 maps", {3, 21, 1, 1}),
            channels("channels without weight and bias", {1, 18, 2, 3}, {.affine = false}),
            channels("channels, more pixels than a line", {2, 17, 9, 9}),
            normed("rows, two parts an image", {2, 601, 5}),
            normed("rows, a part for five images", {7, 50, 6}),
            channels("channels, two parts an image", {2, 3, 40, 41}),
            channels("channels, a part for five images", {7, 3, 10, 20}),
        },
    .rejections =
        {
            refuses("empty", {2, 0}, {}, "layer_norm takes a non-empty input"),
            refuses("no batch before the axes", {4, 5}, {.axes = 2}, "with a batch before them, got (4, 5)"),
            refuses("no axes", {4, 5}, {.axes = 0}, "one axis at least"),
            refuses("channels of vectors", {4, 5}, {.channels = true}, "over channels takes non-empty maps"),
            refuses("negative eps", {4, 5}, {.eps = -1}, "eps must be 0 or more"),
            {"a weight of another size",
             [] {
               layer_norm()->infer(std::vector<Type>{{.shape = {2, 4}}, {.shape = {5}}, {.shape = {4}}});
             },
             "weight must be (4), got (5)"},
        },
    .function_ulps = 2,
    .magnitude = norm_magnitude,
    .record_magnitude = norm_record_magnitude,
};

}  // namespace loupe::test
