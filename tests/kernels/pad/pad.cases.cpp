#include "kernels/pad/pad.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

using Mode = Pad::Mode;

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  const auto add = [&](std::string name, Pad p, Shape x, uint32_t unbatched = 0) {
    list.push_back({.name = std::move(name), .op = pad(std::move(p)), .inputs = {x}, .unbatched = unbatched});
  };
  for (const auto& [mode, name] :
       {std::pair{Mode::constant, "constant"}, {Mode::replicate, "replicate"}, {Mode::reflect, "reflect"}}) {
    const std::string start = std::string(name) + ": ";
    add(start + "maps on all four sides", {{{2, 2, 3}, {3, 1, 2}}, mode}, {3, 3, 5, 6});
    add(start + "the last axis, counted from the end", {{{-1, 3, 4}}, mode}, {3, 2, 5});
    add(start + "every axis", {{{0, 1, 0}, {1, 0, 2}, {2, 2, 2}}, mode}, {2, 3, 5}, 1);
    add(start + "by nothing", {{{1, 0, 0}}, mode}, {1, 1});
  }
  add("replicate: by more than there is, of a single position too", {{{1, 5, 7}, {2, 9, 1}}, Mode::replicate},
      {1, 1, 3});
  add("reflect: all but one position on either side", {{{1, 4, 4}, {2, 2, 2}}, Mode::reflect}, {1, 5, 3});
  return list;
}

}  // namespace

extern const OpSuite pad_suite{
    .cases = cases(),
    .rejections = {{"a negative number",
                    [] {
                      pad({{{1, -1, 0}}});
                    },
                    "adds positions, got -1 and 0"},
                   {"an axis twice",
                    [] {
                      infer(pad({{{1, 1, 0}, {-1, 1, 0}}}), {{1, 2}});
                    },
                    "names axis 1 twice"},
                   {"no such axis",
                    [] {
                      infer(pad({{{2, 1, 0}}}), {{1, 2}});
                    },
                    "has no axis 2"},
                   {"as far as the mirror reaches",
                    [] {
                      infer(pad({{{1, 0, 2}}, Mode::reflect}), {{1, 2}});
                    },
                    "cannot reflect axis 1 of (1, 2) by 2"},
                   {"empty",
                    [] {
                      infer(pad({{{1, 1, 1}}}), {{0, 2}});
                    },
                    "non-empty"},
                   {"two inputs",
                    [] {
                      infer(pad({{{1, 1, 1}}}), {{1, 2}, {1, 2}});
                    },
                    "1 input"}},
    .linear = true,
    .exact = true,
};

}  // namespace loupe::test
