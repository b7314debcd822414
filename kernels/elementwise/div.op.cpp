#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind div_kind;
const OpKind div_kind = binary_kind("div", "a / b, elementwise with broadcasting");

OpPtr div() { return std::make_shared<BinaryOp>(div_kind, Binary::div); }

}  // namespace loupe
