// Function: which elementwise function, with its parameters: alone (the ops of kernels/elementwise), or in
// the epilogue of the op before it. What each computes is one small file of kernels/elementwise/functions,
// whose name is the function's.
#pragma once
#include <cstdint>

namespace loupe {

struct Function {
  int16_t id = -1;  // place in function_names() (kernels/elementwise/elementwise.h); −1: none, the identity
  float a = 0, b = 0;  // its parameters: the slope of leaky_relu, the limits of clamp
  explicit operator bool() const { return id >= 0; }
  friend bool operator==(const Function&, const Function&) = default;
};

}  // namespace loupe
