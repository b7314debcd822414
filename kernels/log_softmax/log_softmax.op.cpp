#include "kernels/softmax/softmax.h"

namespace loupe {

extern const OpKind log_softmax_kind{"log_softmax", "the logarithm of softmax, without its underflow",
                                     softmax_kernels()};
OpPtr log_softmax(int axis) { return std::make_shared<SoftmaxOp>(log_softmax_kind, true, axis); }

}  // namespace loupe
