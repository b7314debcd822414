#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind sub_kind;
const OpKind sub_kind = binary_kind("sub", "a − b, elementwise with broadcasting");

OpPtr sub() { return std::make_shared<BinaryOp>(sub_kind, Binary::sub); }

}  // namespace loupe
