// Rule: how the signal passes down through each node on the way back. The default row of every op is its own
// vjp; a method replaces the rows that it differs in, of a kind of op or of a single node. Rows attach to
// ops, so functional, in-place and shared ReLUs and residual additions need nothing special.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/graph/graph.h"

namespace loupe {

using ValueId = int;

/// A change of a weight before a row's op reads it, made on the host once (LRP's z⁺ takes the positive part).
struct WeightTransform {
  std::string name;  // weights are kept by it: two transforms of one name must do the same
  std::function<void(std::span<double>)> apply;
};

/// What a row's op reads: a value of the plan, or a weight of the node.
struct RowOperand {
  ValueId value = -1;
  int weight = -1;   // operand i of the node, which is a parameter or a constant
  NodeId node = -1;  // of a weight: the node; −1: the row's
  std::shared_ptr<const WeightTransform> transform = nullptr;
};

/// What a row sees: one node, the signal that arrived at its output, and the means to send signals to its
/// inputs. A call adds a step to the plan; nothing is computed yet.
class SignalStep {
 public:
  virtual ~SignalStep() = default;
  virtual const Node& node() const = 0;
  /// The signal at the node's output.
  virtual ValueId signal() const = 0;
  /// The op's own vjp of `signal` with respect to operand i.
  virtual ValueId vjp(ValueId signal, int i) = 0;
  /// max(signal, 0).
  virtual ValueId rectify(ValueId signal) = 0;
  /// Operand i as the forward pass had it: a value, or the weight. The node's output. Both stay on the tape
  /// for that.
  virtual RowOperand operand(int i) = 0;
  virtual ValueId output() = 0;
  /// How many operands there are: the node's, and the bias that a folded batch norm gives it (Rule::folds).
  virtual int operands() const = 0;
  /// Operand i of another node, whose values exist because it has a row, too.
  virtual RowOperand operand_of(NodeId node, int i) = 0;
  /// What any op makes of these operands. (An op of the kind that the node is takes the node's own:
  /// node().op.)
  virtual ValueId apply(const OpPtr& op, const std::vector<RowOperand>& operands) = 0;
  /// The vjp of such an op with respect to operand i.
  virtual ValueId apply_vjp(const OpPtr& op, int i, ValueId signal,
                            const std::vector<RowOperand>& operands) = 0;
  /// Hands a signal to operand i. Called at most once for an operand.
  virtual void pass(ValueId signal, int i) = 0;
};

using Row = std::function<void(SignalStep&)>;

struct Rule {
  std::string name;  // plans are kept by it: two rules of one name must have the same rows
  std::map<std::string, Row, std::less<>> rows = {};   // by op kind
  std::map<std::string, Row, std::less<>> nodes = {};  // by the node's name; goes before its kind's
  /// Rows may ask for operands and outputs, so nodes that have one are computed by steps of their own. False
  /// lets a plan fuse them, and asking is then an Error where the value does not exist.
  bool reads = true;
  /// An op with a row and the batch norm after it are one op to the row, where they can be folded: its weights
  /// are the folded ones, its output is the batch norm's, and it has a bias. On every backend, ref too. A batch
  /// norm that has a row by its name is not folded.
  bool folds = false;

  /// The row that replaces a node's vjp, or null.
  const Row* find(const Node& node) const;
  /// Both what the node reads and what it makes must exist, for its row.
  bool needs_values(const Node& node) const { return reads && find(node); }
};

/// Every op's own vjp: the gradient.
Rule gradient_rule();
/// ReLUs pass what is positive both on the way up and on the way down (Springenberg et al. 2015, "Striving
/// for simplicity", eq. 5). Other elementwise functions of one operand that have ReLU's shape (relu6,
/// leaky_relu) likewise: rectified, then their own vjp.
Rule guided_backprop_rule();
/// ReLUs rectify the signal and forget the forward pass; pools keep their switches, convolutions are
/// transposed (Zeiler & Fergus 2013, "Visualizing and understanding convolutional networks", section 2.1).
Rule deconvnet_rule();

}  // namespace loupe
