#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind mul_kind;
const OpKind mul_kind = binary_kind("mul", "a·b, elementwise with broadcasting");

OpPtr mul() { return std::make_shared<BinaryOp>(mul_kind, Binary::mul); }

}  // namespace loupe
