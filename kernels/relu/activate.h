// What the relu family does to one element, for every kernel that has an activation fused into it.
#pragma once
#include "kernels/common/op.h"
#include "kernels/device/target.h"

namespace loupe::LOUPE_TARGET {

/// Where dy/dx is 1. A NaN passes relu and relu6.
LOUPE_DEVICE bool passes(const Activation& a, float x) {
  if (a.kind == Activation::Kind::leaky_relu) return x > 0;
  return !(x <= 0) && !(a.kind == Activation::Kind::relu6 && x >= 6);
}

LOUPE_DEVICE float activate(const Activation& a, float x) {
  if (a.kind == Activation::Kind::none || passes(a, x)) return x;
  if (a.kind == Activation::Kind::leaky_relu) return x * a.slope;
  return x <= 0 ? 0.0f : 6.0f;
}

}  // namespace loupe::LOUPE_TARGET
