#include "kernels/elementwise/binary_op.h"

namespace loupe {

extern const OpKind minimum_kind;
const OpKind minimum_kind = binary_kind("minimum", "the smaller of a and b, elementwise with broadcasting");

OpPtr minimum() { return std::make_shared<BinaryOp>(minimum_kind, Binary::minimum); }

}  // namespace loupe
