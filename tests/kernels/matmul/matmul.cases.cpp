#include "kernels/matmul/matmul.h"

#include "tests/support/op_suite.h"

namespace loupe::test {
namespace {

constexpr uint32_t kNoImages = 1, kOneB = 2;  // OpCase::unbatched

OpCase product(std::string name, Shape a, Shape b, MatMul config = {}, uint32_t unbatched = 0) {
  return {.name = std::move(name), .op = matmul(config), .inputs = {a, b}, .unbatched = unbatched};
}

Rejection refuses(std::string name, Shape a, Shape b, MatMul config, std::string message) {
  return {std::move(name), [=] { infer(matmul(config), {a, b}); }, std::move(message)};
}

constexpr MatMul kTransposeA{.transpose_a = true}, kTransposeB{.transpose_b = true},
    kTransposeBoth{.transpose_a = true, .transpose_b = true};

}  // namespace

extern const OpSuite matmul_suite{
    .cases =
        {
            product("1×1×1", {1, 1}, {1, 1}, {}, kNoImages),
            product("5×7×3", {5, 7}, {7, 3}, {}, kNoImages),
            product("a column times a row", {19, 1}, {1, 18}, {}, kNoImages),
            product("a row times a column", {1, 35}, {35, 1}, {}, kNoImages),
            product("whole tiles, whole vectors", {28, 32}, {32, 64}, {}, kNoImages),
            product("more than a tile each way, a transposed", {37, 133}, {37, 66}, kTransposeA, kNoImages),
            product("more than a tile each way, b transposed", {133, 37}, {66, 37}, kTransposeB, kNoImages),
            product("more than a tile each way, both transposed", {37, 133}, {66, 37}, kTransposeBoth,
                    kNoImages),
            product("longer than a packed stretch of k", {3, 1030}, {1030, 17}, {}, kNoImages),
            product("longer than a packed stretch of k, both transposed", {1030, 17}, {3, 1030},
                    kTransposeBoth, kNoImages),
            product("more than a task's rows", {200, 9}, {9, 40}, {}, kNoImages),
            product("a batch", {3, 9, 20}, {3, 20, 17}),
            product("a batch, a transposed", {3, 20, 9}, {3, 20, 17}, kTransposeA),
            product("a batch, b transposed", {3, 9, 20}, {3, 17, 20}, kTransposeB),
            product("a batch, both transposed", {3, 20, 9}, {3, 17, 20}, kTransposeBoth),
            product("heads: a batch of two dimensions, b transposed", {2, 3, 10, 8}, {2, 3, 11, 8},
                    kTransposeB),
            product("one b for all rows", {3, 9, 20}, {20, 17}, {}, kOneB),
            product("one b for all, b transposed", {3, 9, 20}, {17, 20}, kTransposeB, kOneB),
            product("one b for all, a transposed", {3, 20, 9}, {1, 20, 17}, kTransposeA, kOneB),
            product("one a for all", {9, 20}, {3, 20, 17}, {}, kNoImages),
            product("a repeated over heads", {2, 1, 5, 6}, {2, 3, 6, 7}),
            product("b repeated over heads", {2, 3, 5, 6}, {2, 1, 7, 6}, kTransposeB),
            product("each repeated in one dimension", {2, 1, 4, 5, 6}, {1, 3, 4, 6, 7}, {}, kOneB),
            product("many results of more than 64 each way", {200, 65, 2}, {200, 2, 66}),
            product("many results of more than 32 rows", {200, 33, 2}, {200, 2, 3}),
            product("large enough for a library", {2, 104, 100}, {2, 100, 104}),
            product("large enough for a library, both transposed", {2, 100, 104}, {1, 104, 100},
                    kTransposeBoth, kOneB),
            product("one b for all, in two parts an image", {3, 1601, 2}, {2, 3}, {}, kOneB),
            product("one b for all, in parts, a transposed", {2, 2, 1601}, {2, 3}, kTransposeA, kOneB),
            product("one b for all, in parts of three images, b transposed", {7, 300, 2}, {3, 2}, kTransposeB,
                    kOneB),
            product("one a for all, in two parts an image", {3, 4}, {2, 4, 1601}, {}, kNoImages),
            product("one a for all, in parts of three images", {3, 4}, {7, 4, 301}, {}, kNoImages),
            product("four dimensions of batch", {2, 2, 1, 3, 4, 5}, {2, 1, 2, 3, 5, 6}),
        },
    .rejections =
        {
            refuses("rank 1", {4}, {4, 3}, {}, "rank 2 or more, got (4) and (4, 3)"),
            refuses("empty", {0, 4}, {4, 3}, {}, "non-empty"),
            refuses("inner sizes", {2, 4}, {3, 5}, {}, "adds up 4 elements of a, but b has 3"),
            refuses("inner sizes, transposed", {4, 2}, {3, 5}, kTransposeBoth,
                    "4 elements of a, but b has 5"),
            refuses("batches", {2, 4, 5}, {3, 5, 6}, {}, "of equal size, or 1, got (2, 4, 5) and (3, 5, 6)"),
        },
    .multilinear = true,
};

}  // namespace loupe::test
