#include "engine/training/training_graph.h"

#include <algorithm>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/batch_norm_training/batch_norm_training.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/token_loss/token_loss.h"

namespace loupe {

namespace {

std::string no_class(int64_t given, int64_t count) {
  return "there is no class " + std::to_string(given) + ": the network has " + std::to_string(count) +
         ", counted from 0";
}

// The network as it is trained, without a loss.
TrainingGraph without_loss(const Graph& network) {
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
  return t;
}

}  // namespace

Tensor smoothed_targets(std::span<const int64_t> classes, int64_t class_count, double smoothing) {
  if (!(smoothing >= 0 && smoothing < 1))
    throw UsageError("label smoothing must lie in [0, 1), not be " + std::to_string(smoothing));
  Tensor targets(Dtype::f32, {std::ssize(classes), class_count});
  const auto t = targets.values<float>();
  const double share = smoothing / static_cast<double>(class_count);
  std::ranges::fill(t, static_cast<float>(share));
  for (size_t n = 0; n < classes.size(); ++n) {
    if (classes[n] < 0 || classes[n] >= class_count) throw UsageError(no_class(classes[n], class_count));
    t[n * static_cast<size_t>(class_count) + static_cast<size_t>(classes[n])] =
        static_cast<float>(1 - smoothing + share);
  }
  return targets;
}

TrainingGraph classification_graph(const Graph& network, double label_smoothing) {
  TrainingGraph t = without_loss(network);
  const Shape& logits = network.node(t.logits).shape();
  if (logits.rank() != 2)
    throw UsageError("a network that is trained to classify ends with (N, classes), not " + logits.str());
  const NodeId targets = t.graph.input("targets", logits);
  t.loss = t.graph.add("loss", cross_entropy(), {t.logits, targets});
  t.graph.set_output(t.logits);
  t.targets = [count = logits[1], label_smoothing](const Batch& batch) {
    return smoothed_targets(batch.classes, count, label_smoothing);
  };
  smoothed_targets({}, logits[1], label_smoothing);  // says early what makes no sense
  return t;
}

TrainingGraph next_token_graph(const Graph& network) {
  TrainingGraph t = without_loss(network);
  const Shape& logits = network.node(t.logits).shape();
  if (logits.rank() != 3)
    throw UsageError("a network that is trained to say the next token ends with (N, L, vocabulary), not " +
                     logits.str());
  const NodeId targets = t.graph.input("targets", {logits[0], logits[1]}, Dtype::i32);
  t.loss = t.graph.add("loss", token_loss(), {t.logits, targets});
  t.graph.set_output(t.logits);
  t.targets = [count = logits[2]](const Batch& batch) {
    Tensor all(Dtype::i32, {std::ssize(batch.classes)});
    for (size_t i = 0; i < batch.classes.size(); ++i) {
      if (batch.classes[i] < 0 || batch.classes[i] >= count)
        throw UsageError(no_class(batch.classes[i], count));
      all.values<int32_t>()[i] = static_cast<int32_t>(batch.classes[i]);
    }
    return all.reshape(batch.input.shape());
  };
  return t;
}

}  // namespace loupe
