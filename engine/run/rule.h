// Rule: how the signal passes down through each kind of op on the way back. The default row of every op is
// its own vjp; a method replaces the rows that it differs in. Rows attach to ops, so functional, in-place and
// shared ReLUs and residual additions need nothing special.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "engine/graph/graph.h"

namespace loupe {

using ValueId = int;

/// What a row sees: one node, the signal that arrived at its output, and the means to send signals to its
/// inputs. A call adds a step to the plan; nothing is computed yet.
class SignalStep {
 public:
  virtual ~SignalStep() = default;
  virtual const Node& node() const = 0;
  /// The signal at the node's output.
  virtual ValueId signal() const = 0;
  /// The op's own vjp of `signal` with respect to input i.
  virtual ValueId vjp(ValueId signal, int i) = 0;
  /// max(signal, 0).
  virtual ValueId rectify(ValueId signal) = 0;
  /// Hands a signal to input i. Called at most once for an input.
  virtual void pass(ValueId signal, int i) = 0;
};

using Row = std::function<void(SignalStep&)>;

struct Rule {
  std::string name;  // plans are kept by it: two rules of one name must have the same rows
  std::map<std::string, Row, std::less<>> rows;  // by op kind
};

/// Every op's own vjp: the gradient.
Rule gradient_rule();
/// ReLUs pass what is positive both on the way up and on the way down (Springenberg et al. 2015, "Striving
/// for simplicity", eq. 5). relu6 and leaky_relu likewise: rectified, then their own vjp.
Rule guided_backprop_rule();
/// ReLUs rectify the signal and forget the forward pass; pools keep their switches, convolutions are
/// transposed (Zeiler & Fergus 2013, "Visualizing and understanding convolutional networks", section 2.1).
Rule deconvnet_rule();

}  // namespace loupe
