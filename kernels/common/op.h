// Op: one configured operation (a 3×3 convolution with stride 2, a ReLU …), and OpKind: its row in `loupe
// ops`.
//
// An Op knows shapes, parameters and cost; its kernels are plain functions listed in the OpKind's table, one
// for each backend and direction. Both are defined in kernels/<op>/<op>.op.cpp, the only file that ties the
// op together; the build finds the folder and lists its `<op>_kind` in all_ops(). Nothing here owns memory.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/common/array.h"
#include "kernels/common/device.h"
#include "kernels/common/error.h"
#include "kernels/common/shape.h"

namespace loupe {

enum class Backend : uint8_t { ref, cpu, cuda, sim };
inline constexpr Backend kBackends[] = {Backend::ref, Backend::cpu, Backend::cuda, Backend::sim};
std::string_view backend_name(Backend);

/// What a kernel computes. A vjp (vector-Jacobian product) takes dL/dy and gives dL/d(input or parameter).
enum class Direction : uint8_t { forward, vjp_input, vjp_weight, vjp_bias };
inline constexpr Direction kDirections[] = {Direction::forward, Direction::vjp_input, Direction::vjp_weight,
                                            Direction::vjp_bias};
std::string_view direction_name(Direction);

/// The layout that a backend's kernels use for activations and gradients.
constexpr Layout backend_layout(Backend b) { return b == Backend::cpu ? Layout::blocked : Layout::planar; }

/// An elementwise non-linearity, alone (the relu family of ops) or fused into the op before it.
struct Activation {
  enum class Kind : uint8_t { none, relu, relu6, leaky_relu };
  Kind kind = Kind::none;
  float slope = 0;  // of leaky_relu, for x ≤ 0
  explicit operator bool() const { return kind != Kind::none; }
};

/// What one kernel call reads and writes. Unused members are empty. Arrays are in the backend's layout
/// (parameter gradients are planar), parameters as Op::pack left them. Destinations are overwritten, never
/// added to. On a device every array begins at a multiple of 16 bytes, so that a kernel can tell from the
/// shape alone where 16-byte accesses are possible. `output` may be inputs[0] itself, and `grad` may be
/// `grad_output`, where the op says in_place().
struct Arguments {
  std::span<const Array>
      inputs;  // x: of forward; of a vjp where needs() says so (else data may be null, shape is set)
  std::span<const Array>
      parameters;                  // weight, bias … in the order of Op::parameters; packed for this backend
  Array output;                    // y: written by forward; read by a vjp where needs() says so
  Array saved;                     // the tape's record: written by forward if data is not null, read by a vjp
  Array grad_output;               // dL/dy
  Array grad;                      // a vjp's result: dL/d inputs[input], dL/d weight or dL/d bias
  int input = 0;                   // which input vjp_input is asked for
  Activation activation;           // fused after the op by forward; `saved` is then the activation's mask
  std::span<std::byte> workspace;  // at least workspace_bytes(); contents undefined, 64-byte aligned
  Queue queue;                     // cuda and sim: the device, whose memory every array above is in
};

class Op;
using Kernel = void (*)(const Op&, const Arguments&);

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

  bool has(Backend, Direction) const;
  /// Throws Error naming op, direction and backend where the cell is empty.
  Kernel kernel(Backend, Direction) const;
};

/// Every op, in alphabetical order. (Generated from the folders under kernels/.)
std::span<const OpKind* const> all_ops();

struct ParameterSpec {
  enum class Role : uint8_t { weight, bias, norm_weight, norm_bias, norm_mean, norm_variance };
  std::string name;  // "weight": the node's name and a dot stand before it in a file
  Shape shape;
  Role role;
};

/// The input cells that one output cell sees, for receptive fields. Global ops have no window but see
/// everything.
struct Window {
  Pair kernel{1}, stride{1}, padding{0}, dilation{1};
};

/// What forward leaves on the tape for the vjp.
struct Saved {
  Dtype dtype;  // bit: a mask; u8: switches; f32: numbers, f64 where ref computes in double
  Shape shape;
};

/// Which arrays, besides dL/dy and `saved`, a vjp reads.
struct Needs {
  bool inputs = false, output = false, saved = false;
};

class Op {
 public:
  using Shapes = std::span<const Shape>;  // of the inputs, batch included

  virtual ~Op() = default;
  virtual const OpKind& kind() const = 0;
  /// The configuration for people: "64, 3×3, stride 2". May be empty.
  virtual std::string describe() const { return {}; }

  /// Shape of the output. Throws UsageError, one line, if the inputs do not fit or the output would be empty.
  virtual Shape infer(Shapes inputs) const = 0;
  virtual std::vector<ParameterSpec> parameters(Shapes) const { return {}; }
  /// Multiply-accumulates of a forward pass; 0 for ops that only move or compare.
  virtual int64_t macs(Shapes) const { return 0; }
  /// nullopt: every output cell of a map sees the whole map (global pool, linear).
  virtual std::optional<Window> window() const { return Window{}; }

  /// The op returns its input unchanged at inference (dropout), or only reshapes it in this layout (flatten).
  virtual bool is_view(Layout, Shapes) const { return false; }
  /// dL/d(every input) is dL/dy itself (addition): a plan then hands the signal on without a kernel.
  virtual bool vjp_is_identity() const { return false; }
  /// `output` may alias inputs[0], and `grad` may alias `grad_output`.
  virtual bool in_place() const { return false; }
  /// Set by the relu family, so that the op before can take it over.
  virtual Activation activation() const { return {}; }
  virtual bool fuses_activation(Backend) const { return false; }
  /// A batch norm can be folded into this op's weight and bias: the dimension of weight that counts output
  /// channels. The kernels of such an op take a bias as their second parameter if one is passed, configured
  /// with one or not.
  virtual std::optional<int> folds_batch_norm() const { return std::nullopt; }

  virtual std::optional<Saved> saved(Shapes) const { return std::nullopt; }
  virtual Needs needs(Direction) const { return {}; }

  /// Elements of parameter `p` in the backend's own format for this direction; 0: the kernel reads it planar,
  /// as it is.
  virtual int64_t packed_size(Backend, Direction, Shapes, size_t /*p*/) const { return 0; }
  /// Writes that format. `from` is planar float32 of the parameter's shape; `to` has packed_size floats.
  virtual void pack(Backend, Direction, Shapes, size_t /*p*/, const float* /*from*/, float* /*to*/) const {}
  virtual int64_t workspace_bytes(Backend, Direction, Shapes) const { return 0; }
  /// The algorithm for these shapes and why, for `loupe plan`. Never depends on the batch or the threads.
  virtual std::string algorithm(Backend, Direction, Shapes) const { return "direct"; }

  /// Length of the longest sum behind one result of a direction; tests derive tolerances from it. 0: no sum,
  /// a few roundings at most.
  virtual int64_t accumulation_length(Direction, Shapes) const { return 0; }
};

using OpPtr = std::shared_ptr<const Op>;

/// For *.op.cpp: runs `body(T{})` with T = float or double by the arrays' type.
template <typename Body>
void with_float_type(Dtype dtype, const Body& body) {
  if (dtype == Dtype::f64) return body(double{});
  if (dtype == Dtype::f32) return body(float{});
  throw Error("expected an array of f32 or f64, got " + std::string(dtype_name(dtype)));
}

/// For infer(): throws UsageError unless there are `count` inputs.
void expect_inputs(std::string_view op, Op::Shapes inputs, size_t count);
/// (N, C, H, W) of a rank-4 input, none of them zero; throws UsageError naming the op otherwise.
Nchw expect_maps(std::string_view op, const Shape& input);

}  // namespace loupe
