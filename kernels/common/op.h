// Op: one configured operation (a 3×3 convolution with stride 2, a GELU, attention with 12 heads …), and
// OpKind: its row in `loupe ops`.
//
// An Op knows types, cost and what its vector-Jacobian products read; what it computes with on a backend it
// decides once, in prepare(), which returns a Call: what is printed by `loupe plan` is what runs. Weights are
// operands like any other: a convolution has three (input, weight, bias), and a direction is forward or the
// vjp of operand i. Ops and kinds are defined in kernels/<op>/<op>.op.cpp, the only file that ties an op
// together; the build finds the file and lists its `<op>_kind` in all_ops(). Nothing here owns memory.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/common/array.h"
#include "kernels/common/device.h"
#include "kernels/common/error.h"
#include "kernels/common/function.h"
#include "kernels/common/shape.h"

namespace loupe {

enum class Backend : uint8_t { ref, cpu, cuda, sim };
inline constexpr Backend kBackends[] = {Backend::ref, Backend::cpu, Backend::cuda, Backend::sim};
std::string_view backend_name(Backend);

/// What a kernel computes: forward, or a vjp (vector-Jacobian product), which takes dL/dy and gives
/// dL/d(operand).
struct Direction {
  int operand = -1;  // of a vjp; −1: forward
  static constexpr Direction vjp(int i) { return {i}; }
  constexpr bool is_forward() const { return operand < 0; }
  // Written out: nvcc does not define the == that a defaulted <=> implies.
  friend constexpr bool operator==(const Direction& a, const Direction& b) { return a.operand == b.operand; }
  friend constexpr auto operator<=>(const Direction& a, const Direction& b) { return a.operand <=> b.operand; }

  static const Direction forward, vjp_input, vjp_weight, vjp_bias;  // the vjp of operands 0, 1 and 2
};
inline constexpr Direction Direction::forward{-1};
inline constexpr Direction Direction::vjp_input{0};
inline constexpr Direction Direction::vjp_weight{1};
inline constexpr Direction Direction::vjp_bias{2};

/// What an op wants of its values' layout on a backend. `any`: that of its first input, in which it works as
/// well.
enum class LayoutWish : uint8_t { planar, blocked, any };

/// The type of a value: of a graph's (where f32 stands for "the device's float" and layout is not yet
/// chosen), or of a plan's.
struct Type {
  Dtype dtype = Dtype::f32;
  Shape shape = {};
  Layout layout = Layout::planar;
  friend bool operator==(const Type&, const Type&) = default;
};

/// What a step does to each element of its result before it stores it, so that no pass of its own is needed.
/// Forward:  y = function(result + residual).  `record` (Arguments) then is what the function keeps.
/// Of a vjp: the signal that goes on is row(result), as the node below would make of it:
///   slope         result · f′(x), from what that function kept
///   guided        max(result, 0) · f′(x)
///   deconvnet     max(result, 0)
struct Epilogue {
  Function function = {};
  bool residual = false;  // Arguments::residual is added before the function
  enum class Row : uint8_t { none, slope, guided, deconvnet };
  Row row = Row::none;  // of a vjp
  explicit operator bool() const { return function || residual || row != Row::none; }
  friend bool operator==(const Epilogue&, const Epilogue&) = default;
};

/// What one kernel call reads and writes. Unused members are empty. Floats are f64 on ref where the call is
/// in double, f32 elsewhere; each array says its layout. Destinations are overwritten, never added to. On a
/// device every array begins at a multiple of 16 bytes, so that a kernel can tell from the shape alone where
/// 16-byte accesses are possible. `output` may be inputs[0] itself, and `grad` may be `grad_output`, where
/// the op says in_place().
struct Arguments {
  Direction direction;
  // Every operand, with its shape; data is null where a vjp does not read it (needs()). One that
  // Call::packing names is in that format.
  std::span<const Array> inputs;
  Array output;  // y: written by forward; read by a vjp where needs() says so
  // All of them, of ops with several (outputs[0] is `output`); a null one is not wanted.
  std::span<const Array> outputs;
  Array record;       // the tape's record: written by forward if data is not null, read by a vjp
  Array grad_output;  // dL/dy
  // All of them, of ops with several; a null one is zero.
  std::span<const Array> grad_outputs;
  Array grad;  // a vjp's result: dL/d inputs[direction.operand]
  Epilogue epilogue;
  Array residual;                  // of the epilogue; like the result
  Array epilogue_record;           // what epilogue.function keeps: written by forward if not null, read by a vjp
  std::span<std::byte> workspace;  // at least Call::workspace bytes; contents undefined, 64-byte aligned
  Queue queue;                     // cuda and sim: the device, whose memory every array above is in
};

class Op;
using OpPtr = std::shared_ptr<const Op>;
using Kernel = void (*)(const Op&, const Arguments&);

/// What a plan may choose of kernels. Results of different choices differ in rounding alone.
struct KernelOptions {
  bool winograd = false;             // on cpu: 3×3 convolutions by Winograd's F(4×4, 3×3)
  bool library_convolution = false;  // on cuda: convolutions by cuDNN
  bool library_products = true;      // on cuda: products of matrices by cuBLAS, where it is there
  friend bool operator==(const KernelOptions&, const KernelOptions&) = default;
};

/// How an operand is wanted by a kernel: in a format of its own, made once from a parameter's planar float32.
struct Packing {
  int operand = 0;
  int64_t floats = 0;  // of the packed form
  std::string format;  // calls that name the same format of the same parameter share what was packed
  std::function<void(const float* from, float* to)> pack;
};

/// One decision, made by Op::prepare() and owned by a plan's step.
struct Call {
  std::string describe = "direct";  // the algorithm and why, for `loupe plan`
  std::vector<Packing> packing = {};
  int64_t workspace = 0;  // bytes
  std::function<void(const Arguments&)> run;
  /// Cells of a map that are computed together, counted from its first row and column: a window of the output
  /// that begins and ends at a multiple of it has the whole map's bits. 0: only the whole map has them.
  Pair tile{1};
};

/// A row family of the op table: which kernels exist.
struct OpKind {
  std::string_view name;     // "conv2d", also the folder and the test's name
  std::string_view summary;  // one line for people
  struct Row {
    Direction direction;
    Kernel ref, cpu;
    Kernel device = nullptr;  // cuda and sim: the same launcher (kernels/<op>/<op>.cu) in two modules
  };
  std::vector<Row> kernels;
  std::vector<std::string_view> operands = {"input"};  // names, for people and for parameters: "weight"
  bool variadic = false;  // any number of inputs, all served by the rows of vjp_input

  bool has(Backend, Direction) const;
  /// Throws Error naming op, direction and backend where the cell is empty.
  Kernel kernel(Backend, Direction) const;
  /// "forward", "vjp_weight".
  std::string direction_name(Direction) const;
};

/// Every op, in alphabetical order. (Generated from the files kernels/*/*.op.cpp and
/// kernels/elementwise/functions.)
std::span<const OpKind* const> all_ops();

/// A parameter that an op has where nobody gives it another operand.
struct ParameterSpec {
  enum class Role : uint8_t { weight, bias, norm_weight, norm_bias, norm_mean, norm_variance, table };
  std::string name;  // "weight": the node's name and a dot stand before it in a file
  Shape shape;
  Role role = Role::weight;
};

/// The input cells that one output cell sees, for receptive fields. Global ops have no window but see
/// everything.
struct Window {
  Pair kernel{1}, stride{1}, padding{0}, dilation{1};
};

/// How an op computes a window of its maps, bit for bit, from the part of each operand that the window sees.
struct OnWindow {
  OpPtr op = nullptr;   // what then runs: the op without padding; null: the op as it is
  double outside = 0;   // what it takes cells beyond the maps for
  uint64_t maps = 1;    // bit i: of operand i it sees a part, (N, C, H, W); others it reads whole
};

/// What forward leaves on the tape for the vjp.
struct Record {
  Dtype dtype;  // bit: a mask; u8: switches; f32: numbers, f64 where ref computes in double
  Shape shape;
};

/// Which arrays, besides dL/dy, a vjp reads.
struct Needs {
  uint32_t operands = 0;  // bit i: the value of operand i
  bool output = false, record = false;
};

class Op {
 public:
  using Shapes = std::span<const Shape>;  // of all operands, batch included
  using Types = std::span<const Type>;

  virtual ~Op() = default;
  virtual const OpKind& kind() const = 0;
  /// The configuration for people: "64, 3×3, stride 2". May be empty.
  virtual std::string describe() const { return {}; }

  /// Types of the outputs. Throws UsageError, one line, if the inputs do not fit or an output would be empty.
  /// Ops with one output of floats override shape() instead.
  virtual std::vector<Type> infer(Types inputs) const;
  virtual Shape shape(Shapes inputs) const;
  /// Parameters that follow the `given` operands, where a graph's author gives no others; their number is
  /// fixed.
  virtual std::vector<ParameterSpec> parameters(Shapes /*given*/) const { return {}; }
  /// Multiply-accumulates of a forward pass; 0 for ops that only move or compare.
  virtual int64_t macs(Shapes) const { return 0; }
  /// nullopt: every output cell of a map sees the whole map (global pool, linear).
  virtual std::optional<Window> window() const { return Window{}; }

  /// Nullopt where a window takes all of the maps, or nobody has said how. Geometry is window()'s.
  virtual std::optional<OnWindow> on_window(Shapes /*inputs*/) const { return std::nullopt; }

  /// The layout of operands that are no parameters, of outputs and of their gradients. (A row of at most two
  /// dimensions whose last is a multiple of 16 lies the same way in both.)
  virtual LayoutWish layout(Backend, Shapes) const { return LayoutWish::planar; }
  /// The op returns its input unchanged at inference (dropout), or only reshapes it in this layout (flatten).
  virtual bool is_view(Layout, Shapes) const { return false; }
  /// dL/d(every input) is dL/dy itself (addition of equal shapes): a plan then hands the signal on without a
  /// kernel.
  virtual bool vjp_is_identity(Shapes) const { return false; }
  /// `output` may alias inputs[0], and `grad` may alias `grad_output`.
  virtual bool in_place() const { return false; }
  /// Set by elementwise functions, so that the op before can take it over as its epilogue.
  virtual Function function() const { return {}; }
  /// Whether a call of this direction can end with that epilogue. The plan asks before it fuses.
  virtual bool fuses(Backend, Direction, const Epilogue&, Shapes) const { return false; }
  /// A batch norm can be folded into this op's weight and bias: the dimension of weight that counts output
  /// channels. The kernels of such an op take a bias as their operand 2 if one is passed, configured with one
  /// or not.
  virtual std::optional<int> folds_batch_norm() const { return std::nullopt; }

  virtual std::optional<Record> record(Shapes) const { return std::nullopt; }
  virtual Needs needs(Direction) const { return {}; }

  /// The decision how a direction is computed for these shapes. Never depends on the batch or the threads.
  /// The default is the kernel of the kind's table, without packing or workspace.
  virtual Call prepare(Backend, Direction, Shapes, const KernelOptions&) const;

  /// Length of the longest sum behind one result of a direction; tests derive tolerances from it. 0: no sum,
  /// a few roundings at most.
  virtual int64_t accumulation_length(Direction, Shapes) const { return 0; }

 protected:
  /// For prepare(): the table's kernel as a Call. The op must outlive it.
  Call table_call(Backend, Direction) const;
  /// For shape() of ops with parameters: throws UsageError unless the operands are `given` ones and then
  /// parameters of the shapes that parameters() says.
  void expect_parameters(Shapes inputs, size_t given) const;
};

/// For *.op.cpp: runs `body(T{})` with T = float or double by the arrays' type.
template <typename Body>
void with_float_type(Dtype dtype, const Body& body) {
  if (dtype == Dtype::f64) return body(double{});
  if (dtype == Dtype::f32) return body(float{});
  throw Error("expected an array of f32 or f64, got " + std::string(dtype_name(dtype)));
}

/// For layout() of the ops of convolutional networks: blocked on cpu for maps (N, C, H, W) and vectors (N,
/// F).
LayoutWish maps_wish(Backend, const Shape& input);
/// For shape(): throws UsageError unless there are `count` inputs.
void expect_inputs(std::string_view op, Op::Shapes inputs, size_t count);
/// (N, C, H, W) of a rank-4 input, none of them zero; throws UsageError naming the op otherwise.
Nchw expect_maps(std::string_view op, const Shape& input);
/// Throws UsageError naming the op for a shape with a zero in it.
void expect_not_empty(std::string_view op, const Shape& input);
/// Axis −1 is the last one. Throws UsageError naming the op where there is none.
int expect_axis(std::string_view op, const Shape& input, int axis);

}  // namespace loupe
