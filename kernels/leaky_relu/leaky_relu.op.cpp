#include "kernels/relu/relu.h"

namespace loupe {

extern const OpKind leaky_relu_kind{"leaky_relu", "x or slope·x; the tape keeps 1 bit an element",
                                    activation_kernels()};

OpPtr leaky_relu(double slope) {
  return std::make_shared<ActivationOp>(leaky_relu_kind,
                                        Activation{Activation::Kind::leaky_relu, static_cast<float>(slope)});
}

}  // namespace loupe
