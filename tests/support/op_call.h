// One kernel call under guard, for the tests of ops. call() lays the operands out as the op wants them on
// that backend, surrounds every buffer with sentinel bytes, packs what Op::prepare() asks for, runs the call
// twice over differently filled memory, and throws Violation where the kernel wrote outside its results,
// changed an operand, left a byte of a result unwritten, let a result depend on what was in memory before or
// on an operand that Op::needs() does not name, or left a padding lane other than zero.
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
  /// Rows [begin, begin + count) of dimension 0 alone.
  Stored rows(int64_t begin, int64_t count) const;
};

/// What a call reads. The numbers are exact in float32.
struct Operands {
  std::vector<Shape> shapes = {};               // of every operand: the given ones, then the parameters
  std::vector<Numbers> inputs = {};             // likewise
  std::optional<size_t> given = {};             // how many are given; where not said, Op::parameters() tells
  Numbers grad_output = {};                     // vjps; of output 0
  std::optional<Stored> output = {};            // vjps: y, as forward left it in whatever layout
  std::optional<Stored> record = {};            // vjps: the tape's record, likewise
  std::vector<Numbers> more_grad_outputs = {};  // of the outputs after the first; null where empty
  std::vector<Stored> more_outputs = {};
  Numbers residual = {};                       // of an epilogue that has one
  std::optional<Stored> epilogue_record = {};  // vjps with an epilogue: what its function kept
};

/// How to make the call.
struct How {
  Backend backend = Backend::ref;
  Dtype dtype = Dtype::f64;             // of floats: f64 for ref alone
  std::vector<Dtype> input_types = {};  // where operands are not of `dtype` (switches: u8)
  std::optional<Layout> layout = {};    // for ops that work in any; planar where not said
  Epilogue epilogue = {};
  std::optional<Record> epilogue_keeps = {};  // forward: the record of epilogue.function
  bool in_place = false;                      // the result takes the place of inputs[0] or grad_output
  bool tape = true;                           // forward writes `record` and `epilogue_record`
  int unwanted = -1;                          // forward: this output is passed as null
  Kernel kernel = nullptr;  // instead of the op's own: a rung of a ladder, which takes all operands planar
  KernelOptions options = {};
};

struct Result {
  Stored value;                       // y, or the gradient
  std::vector<Stored> more = {};      // forward: the outputs after the first; of no bytes where unwanted
  std::optional<Stored> record = {};  // forward
  std::optional<Stored> epilogue_record = {};
};

/// How many of the operands are given: those before the parameters.
size_t given_of(const Op& op, const Operands& operands);
/// How an array of that shape lies on a backend, of an op that wants `wish`: blocked arrays have rank 2 or 4.
Layout layout_on(Backend backend, LayoutWish wish, std::optional<Layout> chosen, const Shape& shape);

Result call(const Op& op, Direction direction, const How& how, const Operands& operands);

}  // namespace loupe::test
