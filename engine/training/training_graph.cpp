#include "engine/training/training_graph.h"

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/batch_norm_training/batch_norm_training.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace loupe {

TrainingGraph training_graph(const Graph& network) {
  TrainingGraph t;
  for (NodeId n = 0; n < network.size(); ++n) {  // every node keeps its number
    const Node& node = network.node(n);
    switch (node.kind) {
      case Node::Kind::input:
        t.graph.input(node.name, node.shape(), node.types[0].dtype);
        continue;
      case Node::Kind::parameter:
        t.graph.parameter(node.name, node.shape(), node.role);
        continue;
      case Node::Kind::constant:
        t.graph.constant(node.name, node.value);
        continue;
      case Node::Kind::op:
        break;
    }
    const std::string_view kind = node.op->kind().name;
    if (kind == "dropout")
      throw UsageError("training cannot drop at random yet, which the layer '" + node.name + "' wants");
    OpPtr op = node.op;
    if (kind == "batch_norm") {
      op = batch_norm_training({.eps = batch_norm_eps(*op)});
      t.norms.push_back(n);
    } else if (const auto record = op->record(network.operand_shapes(n));
               op->function() && record && record->dtype == Dtype::bit) {
      t.relus.push_back(n);
    } else if (!network.parameters(n).empty()) {
      t.learners.push_back(n);
    }
    t.graph.add(node.name, std::move(op), node.inputs);
  }
  t.logits = network.output();
  const Shape& logits = network.node(t.logits).shape();
  if (logits.rank() != 2)
    throw UsageError("a network that is trained to classify ends with (N, classes), not " + logits.str());
  const NodeId targets = t.graph.input("targets", logits);
  t.loss = t.graph.add("loss", cross_entropy(), {t.logits, targets});
  t.graph.set_output(t.logits);
  return t;
}

}  // namespace loupe
