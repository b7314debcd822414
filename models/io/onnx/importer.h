// What import.h is made of: the walk over a graph's nodes. For import.cpp, node_import.cpp and reshape.cpp.
#pragma once
#include <unordered_map>
#include <unordered_set>

#include "models/io/onnx/import.h"

namespace loupe::onnx {

/// The names that a graph or a function's body knows. A subgraph sees those around it too.
struct Scope {
  const Scope* parent = nullptr;  // of a subgraph
  std::string prefix;             // of names in the engine's graph: "" outside functions
  const std::map<std::string, int64_t>* opsets = nullptr;
  std::map<std::string, const AttributeProto*> attributes = {};  // of the function's caller
  std::unordered_map<std::string, const TensorProto*> initializers = {};
  std::unordered_map<std::string, Value> values = {};
  int depth = 0;
};

class Importer {
 public:
  Importer(const ModelProto& model, const ImportOptions& options);
  Imported run();

 private:
  friend class NodeImport;

  struct Missing {
    int64_t count = 0;
    std::string first;
  };

  void take_input(const ValueInfoProto& info);
  void take_initializers(Scope& scope, const GraphProto& graph);
  /// Imports those nodes that `wanted` names need.
  void import_nodes(Scope& scope, const std::vector<NodeProto>& nodes,
                    const std::vector<std::string>& wanted);
  void import_node(Scope& scope, const NodeProto& node);
  void call_function(Scope& scope, const NodeProto& node, const FunctionProto& function,
                     const std::string& name);
  void fold(Scope& scope, NodeImport& node, const OpMapping& row);
  void keep_outputs(Scope& scope, NodeImport& node);
  void give_up(Scope& scope, const NodeProto& node);
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void list_missing() const;

  /// The value of a name; null where there is none in sight.
  const Value* find(Scope& scope, const std::string& name);
  bool looks_up_only(const std::string& input) const;
  int64_t opset(const Scope& scope, const std::string& domain) const;

  std::string unique(const std::string& name);
  Value known(Constant one, std::optional<Constant> two);
  NodeId weight(const Value& value, ParameterSpec::Role role, const std::string& form,
                const std::function<Tensor(const Tensor&)>& change);
  Value add(const std::string& name, OpPtr op, std::vector<Port> operands);
  Port repeated(const Value& value, Port once);
  Shape shape2_of(const Port& p) const;
  void sweep(std::vector<Value>& outputs);

  const ModelProto& model_;
  const ImportOptions& options_;
  std::map<std::pair<std::string, std::string>, const FunctionProto*> functions_;
  Graph graph_;
  std::map<std::string, Tensor> parameters_;
  std::map<Port, Shape> shapes2_;
  std::map<Port, std::pair<Value, std::vector<int>>> transposed_;  // by Import::transpose: of what, and how
  std::map<std::string, NodeId> weights_;                          // by name and form
  std::unordered_set<std::string> taken_;
  std::map<std::string, Missing> missing_;
  std::vector<std::string> notes_;
  Scope root_;
  int64_t imported_ = 0, folded_ = 0;
  bool any_batch_ = true;
};

}  // namespace loupe::onnx
