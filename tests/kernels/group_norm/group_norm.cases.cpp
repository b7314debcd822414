#include "kernels/group_norm/group_norm.h"

#include "tests/kernels/layer_norm/norm_magnitude.h"

namespace loupe::test {
namespace {

OpCase normed(std::string name, Shape input, GroupNorm config) {
  return {.name = std::move(name), .op = group_norm(config), .inputs = {input}};
}

}  // namespace

// Roundings: as layer_norm's.
extern const OpSuite group_norm_suite{
    .cases =
        {
            normed("one group", {2, 3, 4, 5}, {.groups = 1}),
            normed("a group a channel", {2, 3, 4, 5}, {.groups = 3}),
            normed("whole vectors", {3, 8, 4, 4}, {.groups = 2}),
            normed("odd maps", {2, 12, 3, 7}, {.groups = 4, .eps = 1e-3}),
            normed("large groups", {1, 4, 20, 30}, {.groups = 2}),
            normed("large groups of odd maps", {2, 6, 23, 19}, {.groups = 2}),
            normed("sequences", {2, 6, 9}, {.groups = 3}),
            normed("vectors", {3, 40}, {.groups = 2}),
            normed("vectors, more images than a line", {70, 12}, {.groups = 3, .eps = 0.5}),
            normed("vectors in parts", {300, 4}, {.groups = 2, .eps = 0.5}),
            normed("two parts an image", {2, 4, 40, 41}, {.groups = 2}),
        },
    .rejections =
        {
            {"empty",
             [] {
               infer(group_norm({.groups = 1}), {{2, 0, 3}});
             },
             "group_norm takes a non-empty input"},
            {"no channels", [] { infer(group_norm({.groups = 1}), {{5}}); }, "got (5)"},
            {"does not divide",
             [] {
               infer(group_norm({.groups = 4}), {{1, 6, 2, 2}});
             },
             "6 channels do not make 4 equal groups"},
            {"no groups", [] { group_norm({.groups = 0}); }, "one group at least"},
            {"negative eps", [] { group_norm({.groups = 1, .eps = -1}); }, "eps must be 0 or more"},
        },
    .function_ulps = 2,
    .magnitude = norm_magnitude,
    .record_magnitude = norm_record_magnitude,
};

}  // namespace loupe::test
