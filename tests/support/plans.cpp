#include "tests/support/plans.h"

#include <random>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/softmax/softmax.h"
#include "models/models.h"

namespace loupe::test {

std::vector<Backend> backends(const std::string& network) {
  std::vector<Backend> list;
  for (const Device d : devices())
    if (d != Device::sim() || network.empty() || network == "squeezenet1_1") list.push_back(d.backend);
  return list;
}

Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 engine(seed);
  Tensor t(Dtype::f64, shape);
  for (double& v : t.values<double>()) v = static_cast<double>(engine() % 20001) / 10000.0 - 1.0;
  return t;
}

ImageModel small(const std::string& name, Backend backend) {
  return models::load(name, "formula", {backend}, {.classes = 10, .height = kSize, .width = kSize});
}

Graph branching() {
  Graph g;
  const NodeId x = g.input("input", {1, 3, 9, 11});
  const NodeId a = g.add("conv1", conv2d({.out_channels = 5, .kernel = 3, .padding = 1}), {x});
  const NodeId r = g.add("relu", relu(), {a});
  const NodeId d = g.add("dropout", dropout(0.5), {r});
  const NodeId b = g.add("conv2", conv2d({.out_channels = 5, .kernel = 3, .padding = 1}), {d});
  const NodeId sum = g.add("add", add(), {b, r});
  const NodeId twice = g.add("twice", add(), {sum, sum});
  const NodeId three = g.add("three", add(), {twice, r});
  const NodeId n = g.add("bn", batch_norm(), {three});
  const NodeId p = g.add("pool", max_pool2d({.kernel = 3, .stride = 2, .padding = 1}), {n});
  const NodeId f = g.add("flatten", flatten(), {p});
  const NodeId l = g.add("fc", linear({.out_features = 4}), {f});
  g.add("softmax", softmax(), {l});
  return g;
}

Result run(Network& net, const Plan& plan, const std::vector<Tensor>& inputs, const Tensor& seed) {
  Execution e(net, std::make_shared<const Plan>(plan));
  e.forward(inputs);
  Result r;
  for (NodeId n : plan.purpose().records) r.records.push_back(e.record(n));
  if (plan.purpose().from) e.backward(seed);
  for (const Port& p : plan.purpose().values) r.values.push_back(e.value(p));
  for (NodeId n : plan.purpose().gradients) r.gradients.push_back(e.gradient(n));
  return r;
}

Result run(Network& net, const Purpose& purpose, const Tensor& x, const Tensor& seed) {
  return run(net, Plan(net.graph(), {x.shape()}, net.device().backend, purpose), {x}, seed);
}

Plan plan_for(const Graph& graph, int64_t n, Backend backend, const Purpose& purpose) {
  return {graph, graph.input_shapes(n), backend, purpose};
}

Plan plan_for(const Graph& graph, int64_t n, Backend backend, const Purpose& purpose,
              const PlanOptions& options) {
  return {graph, graph.input_shapes(n), backend, purpose, options};
}

std::vector<ValueId> reads(const PlanStep& s) {
  std::vector<ValueId> all = s.grad_outputs;
  for (const PlanOperand& o : s.operands) all.push_back(o.value);
  all.push_back(s.residual);
  if (!s.direction.is_forward()) {
    all.insert(all.end(), s.outputs.begin(), s.outputs.end());
    all.insert(all.end(), {s.record, s.epilogue_record});
  }
  std::erase(all, -1);
  return all;
}

std::vector<ValueId> writes(const PlanStep& s) {
  std::vector<ValueId> all{s.workspace};
  if (s.direction.is_forward()) {
    all.insert(all.end(), s.outputs.begin(), s.outputs.end());
    all.insert(all.end(), {s.record, s.epilogue_record});
  } else {
    all.push_back(s.grad);
  }
  std::erase(all, -1);
  return all;
}

NodeId middle_op(const Graph& graph) {
  NodeId n = graph.size() / 2;
  while (!graph.node(n).op) ++n;
  return n;
}

std::vector<NodeId> functions_of(const Graph& graph) {
  std::vector<NodeId> all;
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op && graph.node(n).op->function()) all.push_back(n);
  return all;
}

namespace {
double inner_product(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t k = 0; k < a.numel(); ++k) sum += a.item(k) * b.item(k);
  return sum;
}
}  // namespace

double difference_quotient(Network& net, NodeId from, const Tensor& x, const Tensor& seed, int64_t i,
                           double step) {
  const auto score = [&](double shift) {
    const Tensor moved = x.to(Dtype::f64).clone();
    moved.values<double>()[static_cast<size_t>(i)] += shift;
    return inner_product(run(net, {.values = {from}}, moved, {}).values[0], seed);
  };
  return (score(step) - score(-step)) / (2 * step);
}

double difference_quotient(Network& net, NodeId from, const Tensor& x, const Tensor& seed,
                           const std::string& parameter, int64_t i, double step) {
  const Tensor before = net.parameter(parameter).to(Dtype::f64).clone();
  const auto score = [&](double shift) {
    const Tensor moved = before.clone();
    moved.values<double>()[static_cast<size_t>(i)] += shift;
    net.set_parameter(parameter, moved);
    net.parameters_changed();
    return inner_product(run(net, {.values = {from}}, x, {}).values[0], seed);
  };
  const double quotient = (score(step) - score(-step)) / (2 * step);
  score(0);
  return quotient;
}

}  // namespace loupe::test
