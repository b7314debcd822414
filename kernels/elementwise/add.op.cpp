#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind add_kind;
const OpKind add_kind = binary_kind("add", "a + b, elementwise with broadcasting");

OpPtr add() { return std::make_shared<BinaryOp>(add_kind, Binary::add); }

}  // namespace loupe
