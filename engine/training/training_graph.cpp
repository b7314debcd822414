#include "engine/training/training_graph.h"

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/batch_norm_training/batch_norm_training.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace loupe {

bool is_learned(ParameterSpec::Role role) {
  return role != ParameterSpec::Role::norm_mean && role != ParameterSpec::Role::norm_variance;
}

TrainingGraph training_graph(const Graph& network) {
  TrainingGraph t;
  for (NodeId n = 0; n < network.size(); ++n) {
    const Node& node = network.node(n);
    if (!node.op) {
      t.graph.input(node.name, node.shape, node.dtype);
      continue;
    }
    const std::string_view kind = node.op->kind().name;
    if (kind == "dropout")
      throw UsageError("training cannot drop at random yet, which the layer '" + node.name + "' wants");
    OpPtr op = with_winograd(node.op);
    if (kind == "batch_norm") {
      op = batch_norm_training({.eps = batch_norm_eps(*op)});
      t.norms.push_back(n);
    } else if (op->activation()) {
      t.relus.push_back(n);
    } else if (!node.parameters.empty()) {
      t.learners.push_back(n);
    }
    t.graph.add(node.name, std::move(op), node.inputs);
  }
  t.logits = network.output();
  const Shape& logits = network.node(t.logits).shape;
  if (logits.rank() != 2)
    throw UsageError("a network that is trained to classify ends with (N, classes), not " + logits.str());
  const NodeId targets = t.graph.input("targets", logits);
  t.loss = t.graph.add("loss", cross_entropy(), {t.logits, targets});
  t.graph.set_output(t.logits);
  return t;
}

}  // namespace loupe
