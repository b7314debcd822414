#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind equal_kind;
const OpKind equal_kind = binary_kind("equal", "1 where a = b, else 0, elementwise with broadcasting");

OpPtr equal() { return std::make_shared<BinaryOp>(equal_kind, Binary::equal); }

}  // namespace loupe
