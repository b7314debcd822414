// Import of an ONNX graph into the engine's: every node is mapped by a row of a file *.onnx.cpp, or, where
// all its operands are known, folded into a constant.
//
// The graph is imported at a batch of one, and beside it every shape, and every constant that came of one, is
// followed at a batch of two: what differs between them is where the batch is, so that a Reshape by computed
// numbers serves every batch (Import::reshape).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "models/io/onnx/constant.h"

namespace loupe::onnx {

/// What a name of the ONNX graph stands for: a constant, or a port of the engine's graph. The engine computes
/// whole numbers and booleans (0, 1) of a run as floats, but for inputs of type i32 (see Import::indices).
struct Value {
  ElementType type = ElementType::f32;
  std::string name = {};                                // as the ONNX graph calls it
  std::shared_ptr<const Constant> constant = nullptr;   // known: at a batch of one
  std::shared_ptr<const Constant> constant2 = nullptr;  // at a batch of two; null: the same
  Port port = {};                                       // or computed
  Shape shape = {}, shape2 = {};                        // at a batch of one, and of two

  std::shared_ptr<const std::vector<Value>> sequence = nullptr;  // or several of them

  bool known() const { return constant != nullptr; }
  bool defined() const { return known() || port.node >= 0 || sequence; }
};

/// Thrown by a mapping for what it does not know; the node is then listed among the unsupported ones.
class Unsupported : public Error {
 public:
  using Error::Error;
};

/// An input whose values are known, or whose shape is.
struct ImportOptions {
  std::map<std::string, Constant> known = {};
  std::map<std::string, Shape> shapes = {};
  bool pictures = true;               // maps as inputs (N, H, W, 3) become (N, 3, H, W), and open sizes 224
  int64_t folded = int64_t{1} << 30;  // elements that constants may come to
  int64_t nodes = 30'000;             // with functions expanded
};

/// The engine's graph, with what the file holds for it.
struct Imported {
  Graph graph;
  std::map<std::string, Tensor> parameters;
  std::vector<Value> outputs;  // in the file's order; the graph's output is the first
  bool any_batch = true;       // false: it runs with a batch of one alone
  std::vector<std::string> notes = {};
};

/// Throws Error, one line: naming all operations that are not supported, how many nodes there are of each, and
/// the first one; or what is wrong with the graph.
Imported import(const ModelProto&, const ImportOptions& = {});

struct Scope;
class Importer;

/// One node on its way in: what a mapping sees.
class NodeImport {
 public:
  NodeImport(Importer& importer, const Scope& scope, const NodeProto& proto, std::string name,
             int64_t version)
      : opset(version), importer_(importer), scope_(scope), proto_(proto), name_(std::move(name)) {}

  const int64_t opset;  // the version of the node's domain that the file was written for

  // ---- attributes. Throw Error where one has another type.
  bool has_attribute(std::string_view name) const { return attribute(name) != nullptr; }
  int64_t i(std::string_view name, int64_t otherwise) const;
  double f(std::string_view name, double otherwise) const;
  std::string s(std::string_view name, const std::string& otherwise) const;
  std::vector<int64_t> ints(std::string_view name, const std::vector<int64_t>& otherwise = {}) const;
  std::vector<double> floats(std::string_view name) const;
  const AttributeProto* attribute(std::string_view name) const;

  // ---- operands
  const NodeProto& proto() const { return proto_; }
  const std::string& name() const { return name_; }
  size_t inputs() const { return proto_.inputs.size(); }
  /// Operand k is there: an empty name stands for one that is not.
  bool has(size_t k) const { return k < proto_.inputs.size() && !proto_.inputs[k].empty(); }
  /// Throws Error where it is not there.
  const Value& value(size_t k) const;
  const Shape& shape(size_t k) const { return value(k).shape; }
  bool known(size_t k) const { return has(k) && value(k).known(); }
  /// The whole numbers of operand k, which must be known. Throws Unsupported otherwise.
  std::vector<int64_t> integers(size_t k) const;
  /// Operand k if it is there, else the attribute: as opsets moved axes, pads, splits … from one to the
  /// other.
  std::vector<int64_t> integers(size_t k, std::string_view attribute_name,
                                const std::vector<int64_t>& otherwise = {}) const;
  /// The only element of operand k, which must be known, or `otherwise` where it is not there.
  double scalar(size_t k, double otherwise) const;

  /// Operand k in the engine's graph; a constant becomes a parameter (one element, or no floats: a constant).
  Port port(size_t k);
  /// A known operand as a parameter of that role; with `change`, of what it makes of the values, shared by all
  /// that use the same `form` of them. Throws Unsupported where it is computed in a run.
  Port parameter(size_t k, ParameterSpec::Role role, const std::string& form = {},
                 const std::function<Tensor(const Tensor&)>& change = {});
  /// Numbers that the mapping itself brings.
  Port constant(const std::string& suffix, const Tensor& values);
  /// Row numbers for the engine's gather: `values` under a shape, or begin, begin + step … `count` times.
  Port constant_rows(const std::string& suffix, const std::vector<int64_t>& values, const Shape& shape);
  Port row_numbers(const std::string& suffix, int64_t begin, int64_t count, int64_t step);
  /// Operand k, for an op whose operands lie side by side: a known one that is the same for every image of the
  /// batch is repeated as often as the batch wants.
  Port part_of_batch(size_t k);
  /// The node of the engine's graph that a value is an output of, a copy; none of inputs and weights.
  std::optional<Node> made_by(const Value& value) const;
  /// Operand k as i32, for ops that look up: a known one, or an input of the graph. Throws Unsupported.
  Port indices(size_t k);

  // ---- results
  /// A node of the engine, named as the ONNX node, with a dot and `suffix` where that is not empty.
  Value add(const std::string& suffix, OpPtr op, std::vector<Port> operands);
  Value add(OpPtr op, std::vector<Port> operands) { return add("", std::move(op), std::move(operands)); }
  /// Another output of the node that `value` is an output of.
  Value sibling(const Value& value, int output) const;
  /// What a shape (at a batch of one, and of two) as an ONNX Reshape's numbers makes of a value. Sizes are
  /// positive; where only those for a batch of one are known, the batch is looked for.
  Value reshape(const std::string& suffix, const Value& x, const std::vector<int64_t>& dims,
                const std::optional<std::vector<int64_t>>& dims2 = std::nullopt);
  /// The dimensions in another order; two in a row that undo each other leave no node.
  Value transpose(const std::string& suffix, const Value& x, const std::vector<int>& permutation);

  /// Output k of the node. Outputs that nobody gives are undefined.
  void output(size_t k, Value value);
  void output(Value value) { output(0, std::move(value)); }
  void output(size_t k, Constant value, std::optional<Constant> at_two = std::nullopt);
  bool wants_output(size_t k) const { return k < proto_.outputs.size() && !proto_.outputs[k].empty(); }
  /// How many elements constants may still come to.
  int64_t element_limit() const;
  /// A line for whoever loads the network; each is said once.
  void note(const std::string& line);
  /// Throws Unsupported: "this kind of <op>: why".
  [[noreturn]] void unsupported(const std::string& why) const;
  /// Imports a subgraph's nodes in place, and gives its outputs: for a branch that is known to be taken.
  std::vector<Value> inline_graph(const GraphProto& graph);

 private:
  friend class Importer;
  Importer& importer_;
  const Scope& scope_;
  const NodeProto& proto_;
  std::string name_;
  std::map<size_t, Value> outputs_;
};

/// What folding sees: the node's attributes (through `node`, whose operands it must not ask for) and its
/// operands, null where they are absent.
using Folded = std::vector<Constant>;
using Fold = Folded (*)(const NodeImport& node, std::span<const Constant* const> operands);
using Map = void (*)(NodeImport& node);

/// One operation. Since-versions are the mapping's business: it looks at `opset` where they differ.
struct OpMapping {
  std::string_view op_type;
  Map map = nullptr;    // null: it can only be folded
  Fold fold = nullptr;  // null: its operands become parameters, even where all are known
  std::string_view domain = "";
};

}  // namespace loupe::onnx

namespace loupe {

/// The rows of one file models/io/onnx/<name>.onnx.cpp, which defines `const OnnxGroup <name>_onnx`.
struct OnnxGroup {
  std::vector<onnx::OpMapping> rows;
};
/// (Generated from the names of the files *.onnx.cpp.)
std::span<const OnnxGroup* const> all_onnx_groups();

}  // namespace loupe
