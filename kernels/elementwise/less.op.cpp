#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind less_kind;
const OpKind less_kind = binary_kind("less", "1 where a < b, else 0, elementwise with broadcasting");

OpPtr less() { return std::make_shared<BinaryOp>(less_kind, Binary::less); }

}  // namespace loupe
