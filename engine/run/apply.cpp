#include "engine/run/apply.h"

#include <string>

#include "engine/run/network.h"

namespace loupe {

Applied apply(Device device, const OpPtr& op, const std::vector<Tensor>& inputs,
              const std::vector<Tensor>& weights) {
  Graph graph;
  std::vector<Port> operands;
  std::vector<Shape> shapes, all;
  const auto name = [&] { return "operand" + std::to_string(operands.size()); };
  for (const Tensor& t : inputs) {
    const bool floats = t.dtype() == Dtype::f32 || t.dtype() == Dtype::f64;
    operands.emplace_back(graph.input(name(), t.shape().with(0, 1), floats ? Dtype::f32 : t.dtype()));
    shapes.push_back(t.shape());
    all.push_back(t.shape());
  }
  for (const Tensor& t : weights) {
    operands.emplace_back(graph.constant(name(), t));
    all.push_back(t.shape());
  }
  const NodeId node = graph.add(std::string(op->kind().name), op, operands);
  graph.set_output(node);
  Network network("one op", std::move(graph), {}, device);
  network.capture = false;
  Purpose purpose{.values = {node}};
  if (const auto record = op->record(all); record && record->dtype == Dtype::u8) purpose.records = {node};
  Execution& pass = network.execution(shapes, purpose);
  pass.forward(inputs);
  return {pass.value(node), purpose.records.empty() ? Tensor() : pass.record(node)};
}

}  // namespace loupe
