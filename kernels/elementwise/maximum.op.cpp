#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind maximum_kind;
const OpKind maximum_kind = binary_kind("maximum", "the larger of a and b, elementwise with broadcasting");

OpPtr maximum() { return std::make_shared<BinaryOp>(maximum_kind, Binary::maximum); }

}  // namespace loupe
