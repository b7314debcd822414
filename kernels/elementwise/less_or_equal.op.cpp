#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind less_or_equal_kind;
const OpKind less_or_equal_kind =
    binary_kind("less_or_equal", "1 where a ≤ b, else 0, elementwise with broadcasting");

OpPtr less_or_equal() { return std::make_shared<BinaryOp>(less_or_equal_kind, Binary::less_or_equal); }

}  // namespace loupe
