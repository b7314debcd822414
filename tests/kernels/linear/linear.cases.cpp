#include "kernels/linear/linear.h"

#include "tests/support/op_suite.h"

namespace loupe::test {
namespace {

OpCase vectors(std::string name, Shape input, Linear config) {
  return {std::move(name), linear(config), {input}};
}

Rejection refuses(std::string name, Shape input, Linear config, std::string message) {
  return {std::move(name), [=] { infer(linear(config), {input}); }, std::move(message)};
}

}  // namespace

extern const OpSuite linear_suite{
    .cases =
        {
            vectors("1 to 1", {1, 1}, {.out_features = 1}),
            vectors("3 to 33", {3, 3}, {.out_features = 33}),
            vectors("48 to 16, no bias", {3, 48}, {.out_features = 16, .bias = false}),
            vectors("17 to 15", {1, 17}, {.out_features = 15}),
            vectors("more images than a tile", {17, 33}, {.out_features = 48}),
            vectors("1025 to 70: many tasks", {2, 1025}, {.out_features = 70}),
            vectors("tokens, 1 to 1", {2, 1, 1}, {.out_features = 1}),
            vectors("tokens, 33 to 48: whole cells", {2, 5, 33}, {.out_features = 48}),
            vectors("tokens, 48 to 33: parts of cells", {2, 5, 48}, {.out_features = 33}),
            vectors("tokens, no bias", {2, 17, 20}, {.out_features = 32, .bias = false}),
            vectors("tokens, 20 to 7, no bias", {3, 3, 20}, {.out_features = 7, .bias = false}),
            vectors("tokens, longer than a packed stretch", {2, 3, 1030}, {.out_features = 16}),
            vectors("tokens, more outputs than a task", {1, 15, 16}, {.out_features = 290}),
            vectors("more rows than a packed stretch", {2, 520, 3}, {.out_features = 5}),
            vectors("tokens, large enough for a library", {2, 40, 160}, {.out_features = 165}),
            vectors("pixels of maps", {2, 3, 4, 18}, {.out_features = 64}),
            vectors("sums in parts: images in lots", {1100, 3}, {.out_features = 2}),
            vectors("sums in parts: two an image", {2, 1601, 3}, {.out_features = 5}),
            vectors("sums in parts: one for three images", {7, 300, 2}, {.out_features = 3}),
        },
    .rejections =
        {
            refuses("no images", {0, 3}, {.out_features = 1}, "non-empty"),
            refuses("no features", {3, 0}, {.out_features = 1}, "non-empty"),
            refuses("no batch", {3}, {.out_features = 1}, "(N, …, F), got (3)"),
            refuses("no outputs", {1, 3}, {.out_features = 0}, "output channels"),
            refuses("a weight of 2^41 elements", {1, 1 << 15}, {.out_features = 1 << 26}, "weight"),
        },
    .linear = true,
};

}  // namespace loupe::test
