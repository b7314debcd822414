#include "kernels/patch/patch.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

// Places are drawn from [0, limit): windows and patches lie anywhere, over the maps' far edges too. A patch that
// begins before the maps is in tests/engine/plan/windows_test.cpp, where padded convolutions have them.
OpCase lay(std::string name, Patch attributes, Shape windows, Shape base, int64_t rows, int64_t limit) {
  return {.name = std::move(name),
          .op = patch(attributes),
          .inputs = {windows, base, {windows[0], rows, 4}},
          .draws = {Draw::uniform, Draw::uniform, Draw::indices},
          .limit = limit,
          .unbatched = 2u};
}

const std::vector<Dtype> kTypes = {Dtype::f32, Dtype::f32, Dtype::i32};

Rejection refuse(std::string name, std::vector<Shape> shapes, std::vector<Dtype> dtypes,
                 std::string message) {
  return {std::move(name), [=] { infer(patch({2, 2, 1}), shapes, dtypes); }, std::move(message)};
}

}  // namespace

extern const OpSuite patch_suite{
    .cases = {lay("17 channels, batch 3", {5, 6}, {3, 17, 3, 4}, {1, 17, 9, 8}, 1, 6),
              lay("the second of three places", {4, 3, 1}, {4, 16, 2, 2}, {1, 16, 7, 7}, 3, 5),
              lay("all of the maps", {6, 7}, {2, 3, 2, 3}, {1, 3, 6, 7}, 1, 1),
              lay("another number around", {4, 4, 0, -7}, {3, 20, 2, 2}, {1, 20, 5, 5}, 1, 5),
              lay("one cell", {1, 1}, {2, 1, 1, 1}, {1, 1, 2, 2}, 1, 2)},
    .rejections = {refuse("places of floats", {{1, 2, 2, 2}, {1, 2, 4, 4}, {1, 2, 4}}, {}, "places of i32"),
                   refuse("two bases", {{2, 2, 2, 2}, {2, 2, 4, 4}, {2, 2, 4}}, kTypes,
                          "a base (1, 2, H, W)"),
                   refuse("other channels", {{1, 2, 2, 2}, {1, 3, 4, 4}, {1, 2, 4}}, kTypes,
                          "got (1, 3, 4, 4)"),
                   refuse("too few places", {{1, 2, 2, 2}, {1, 2, 4, 4}, {1, 1, 4}}, kTypes, "got (1, 1, 4)"),
                   refuse("no places", {{1, 2, 2, 2}, {1, 2, 4, 4}}, {}, "3 inputs, got 2")},
    .exact = true,
};

}  // namespace loupe::test
