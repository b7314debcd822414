// Control flow that is decided at import.
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;

// The branch that is taken, in the node's place.
void if_node(NodeImport& n) {
  if (!n.known(0)) n.unsupported("of what is computed in a run");
  const AttributeProto* branch = n.attribute(n.scalar(0, 0) != 0 ? "then_branch" : "else_branch");
  if (!branch || !branch->g) throw Error("it lacks a branch");
  const std::vector<Value> results = n.inline_graph(*branch->g);
  for (size_t k = 0; k < results.size(); ++k) n.output(k, results[k]);
}

}  // namespace

extern const OnnxGroup control_onnx;
const OnnxGroup control_onnx{{
    {"If", if_node},
}};

}  // namespace loupe
