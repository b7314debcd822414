// One kernel call under guard, for the tests of ops. call() lays the operands out as the backend wants them,
// surrounds every buffer with sentinel bytes, runs the kernel twice over differently filled memory, and
// throws Violation where the kernel wrote outside its results, changed an operand, left a byte of a result
// unwritten, let a result depend on what was in memory before, or left a padding lane other than zero.
#pragma once
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/common/op.h"

namespace loupe::test {

/// The elements of an array, row-major whatever its layout.
using Numbers = std::vector<double>;

/// A kernel broke a rule; the text says which, and where.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// "(0, 3, 1, 2)": element `index` of a row-major array.
std::string coordinates(const Shape& shape, int64_t index);

/// An array with its bytes.
struct Stored {
  Dtype dtype = Dtype::f64;
  Shape shape;
  Layout layout = Layout::planar;
  std::vector<std::byte> bytes;

  /// Padding is zero. Written apart from loupe::convert, so that the two check each other.
  static Stored of(const Numbers& numbers, Dtype dtype, const Shape& shape, Layout layout);
  Numbers numbers() const;
  /// Images [begin, begin + count) alone.
  Stored images(int64_t begin, int64_t count) const;
};

/// What a call reads. The numbers are exact in float32.
struct Operands {
  std::vector<Shape> shapes = {};  // of the inputs
  std::vector<Numbers> inputs = {};
  std::vector<Numbers> parameters = {};  // one more than the op's own: a bias, as a folded batch norm adds it
  Numbers grad_output = {};              // vjps
  std::optional<Stored> output = {};     // vjps: y, as forward left it in whatever layout
  std::optional<Stored> saved = {};      // vjps: the tape's record, likewise
  int input = 0;                         // for OpSuite::magnitude: which input vjp_input is asked for
};

/// How to make the call.
struct How {
  Backend backend = Backend::ref;
  Dtype dtype = Dtype::f64;             // of activations and parameters: f64 for ref alone
  std::vector<Dtype> input_types = {};  // where an input is not of `dtype` (switches are u8); empty: all are
  int input = 0;                        // which input vjp_input differentiates
  Activation activation = {};           // fused into forward
  bool in_place = false;                // the result takes the place of inputs[0] or grad_output
  bool tape = true;                     // forward writes `saved`
  Kernel kernel = nullptr;              // instead of the op's own: a rung of a ladder
};

struct Result {
  Stored value;                 // y, or the gradient
  std::optional<Stored> saved;  // forward
};

/// The parameter that a direction differentiates: of vjp_weight the weight, of vjp_bias the bias. nullopt if
/// there is none.
std::optional<size_t> parameter_of(const Op& op, Direction direction, Op::Shapes shapes);

Result call(const Op& op, Direction direction, const How& how, const Operands& operands);

}  // namespace loupe::test
