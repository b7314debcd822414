#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind keep_kind;
const OpKind keep_kind = binary_kind("keep", "a where b is not 0, else 0, elementwise with broadcasting");

OpPtr keep() { return std::make_shared<BinaryOp>(keep_kind, Binary::keep); }

}  // namespace loupe
