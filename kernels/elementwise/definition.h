// What the files of functions/ are written with. Such a file defines one struct, named as the file, with
//
//   summary       one line for people
//   parameters    names and usual values of a and b, if it has any
//   keeps         what the tape keeps of a forward pass, from which vjp() knows the slope
//   value(x, p)   f(x)
//   vjp(g, kept, p)   g · f′(x): what becomes of the signal g
//   passes(x, p)  of Keeps::bit: the bit; vjp() is then given it in place of a number
//   ulps(x), slope_ulps(x)   float32 error bounds of value() and vjp(1, …), where these are not exact
//
// all but the first two once, over a number type X with arithmetic, comparisons and what is in namespace
// `numbers`. The file has no include guard and includes nothing: it is included once for each target
// (numbers_ref.h, numbers-inl.h, numbers_device.h), within that target's namespace. The build makes the list
// of functions from the folder.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

namespace loupe {

/// What the tape keeps of x: one bit, x itself, or y = f(x).
enum class Keeps : uint8_t { bit, input, output };

/// A parameter of a function, as Function::a or b holds it.
struct FunctionParameter {
  std::string_view name;
  float usual;
};

/// The parameters as numbers of a target's type.
template <typename X>
struct Parameters {
  X a, b;
};

/// The base of the structs in functions/: what most of them have in common.
struct FunctionDefaults {
  static constexpr std::array<FunctionParameter, 0> parameters{};
  /// In float32, |computed − f(x)| ≤ ulps·ε·|f(x)| + (1 + |x|)·2⁻¹⁴⁹ with ε = 2⁻²³; the last term is of
  /// factors that are too small to have all digits. 0: exact.
  static double ulps(double /*x*/) { return 0; }
  /// |computed − f′(x)| ≤ slope_ulps·ε·max(|f′(x)|, 1).
  static double slope_ulps(double /*x*/) { return 0; }
  /// Of the slope in double, relative: where a constant of it is a float32, as PyTorch has it.
  static constexpr double slope_error = 0;
};

}  // namespace loupe
