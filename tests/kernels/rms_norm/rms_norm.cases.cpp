#include "kernels/rms_norm/rms_norm.h"

#include "tests/kernels/layer_norm/norm_magnitude.h"

namespace loupe::test {
namespace {

OpCase normed(std::string name, Shape input, RmsNorm config = {}) {
  return {.name = std::move(name), .op = rms_norm(config), .inputs = {input}};
}

}  // namespace

// Roundings: as layer_norm's.
extern const OpSuite rms_norm_suite{
    .cases =
        {
            normed("vectors", {3, 37}),
            normed("tokens", {2, 5, 48}),
            normed("more than four blocks and a part", {2, 3, 85}, {.eps = 0.5}),
            normed("more than a warp's share", {2, 2, 1033}),
            normed("more than a warp's share, whole vectors", {1, 2, 2100}),
            normed("more rows than a line", {3, 50, 19}),
            normed("one element", {2, 3, 1}),
            normed("two parts an image", {2, 601, 5}),
        },
    .rejections =
        {
            {"empty",
             [] {
               infer(rms_norm(), {{2, 0}});
             },
             "rms_norm takes a non-empty input"},
            {"no batch", [] { infer(rms_norm(), {{5}}); }, "got (5)"},
            {"negative eps", [] { rms_norm({.eps = -1}); }, "eps must be 0 or more"},
        },
    .function_ulps = 2,
    .magnitude = norm_magnitude,
    .record_magnitude = norm_record_magnitude,
};

}  // namespace loupe::test
