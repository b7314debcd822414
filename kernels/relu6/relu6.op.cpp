#include "kernels/relu/relu.h"

namespace loupe {

extern const OpKind relu6_kind{"relu6", "min(max(x, 0), 6); the tape keeps 1 bit an element",
                               activation_kernels()};
OpPtr relu6() { return std::make_shared<ActivationOp>(relu6_kind, Activation{Activation::Kind::relu6}); }

}  // namespace loupe
