#include "kernels/upsample/upsample.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

using Mode = Upsample::Mode;

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  const auto add = [&](std::string name, Upsample u, Shape x) {
    list.push_back({.name = std::move(name), .op = upsample(u), .inputs = {x}});
  };
  struct Way {
    std::string name;
    Mode mode;
    bool align_corners;
  };
  for (const Way& way : {Way{"nearest", Mode::nearest, false}, Way{"bilinear", Mode::bilinear, false},
                         Way{"bilinear, corners aligned", Mode::bilinear, true}}) {
    const auto with = [&](Upsample u) {
      u.mode = way.mode;
      u.align_corners = way.align_corners;
      return u;
    };
    add(way.name + ": twice the size", with({.scale = 2}), {3, 17, 4, 5});
    add(way.name + ": by 1.7", with({.scale = 1.7}), {1, 3, 7, 5});
    add(way.name + ": to 13×9", with({.size = {13, 9}}), {1, 3, 7, 5});
    add(way.name + ": smaller", with({.size = {3, 2}}), {1, 17, 7, 5});
    add(way.name + ": by 0.4", with({.scale = 0.4}), {1, 3, 7, 5});
    add(way.name + ": to one cell", with({.size = {1, 1}}), {1, 3, 7, 5});
    add(way.name + ": from one cell", with({.size = {3, 4}}), {1, 16, 1, 1});
  }
  return list;
}

}  // namespace

extern const OpSuite upsample_suite{
    .cases = cases(),
    .rejections = {{"neither scale nor size", [] { upsample({}); }, "either a positive scale or a size"},
                   {"both", [] { upsample({.scale = 2, .size = 4}); }, "either a positive scale or a size"},
                   {"a negative scale", [] { upsample({.scale = -1}); }, "a positive scale"},
                   {"a size of 0",
                    [] {
                      upsample({.size = {0, 4}});
                    },
                    "at least 1×1"},
                   {"nearest with corners", [] { upsample({.scale = 2, .align_corners = true}); },
                    "bilinear mode only"},
                   {"a scale that leaves nothing",
                    [] {
                      infer(upsample({.scale = 0.1}), {{1, 2, 5, 5}});
                    },
                    "makes no map"},
                   {"not maps",
                    [] {
                      infer(upsample({.scale = 2}), {{1, 2}});
                    },
                    "(N, C, H, W)"}},
    // A weight is computed in double and rounded once, its complement too, and each product of two once more.
    .function_ulps = 2,
};

}  // namespace loupe::test
