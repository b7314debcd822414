#include "engine/graph/graph.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/common/suggest.h"

namespace loupe {

NodeId Graph::append(Node node) {
  for (const Node& n : nodes_)
    if (n.name == node.name) throw UsageError("two nodes of the graph are named '" + node.name + "'");
  nodes_.push_back(std::move(node));
  return size() - 1;
}

NodeId Graph::input(std::string name, Shape nominal, Dtype dtype) {
  return append({.name = std::move(name), .kind = Node::Kind::input, .types = {{dtype, nominal}}});
}

NodeId Graph::parameter(std::string name, Shape shape, ParameterSpec::Role role) {
  return append(
      {.name = std::move(name), .kind = Node::Kind::parameter, .types = {{Dtype::f32, shape}}, .role = role});
}

NodeId Graph::constant(std::string name, Tensor value) {
  const Dtype dtype = value.dtype() == Dtype::f64 ? Dtype::f32 : value.dtype();
  const Shape shape = value.shape();
  return append({.name = std::move(name),
                 .kind = Node::Kind::constant,
                 .types = {{dtype, shape}},
                 .value = std::move(value)});
}

NodeId Graph::add(std::string name, OpPtr op, std::vector<Port> operands) {
  if (std::ranges::any_of(nodes_, [&](const Node& n) { return n.name == name; }))
    throw UsageError("two nodes of the graph are named '" + name + "'");
  std::vector<Type> types;
  std::vector<Shape> shapes;
  const auto take = [&](const Port& p) {
    if (p.node < 0 || p.node >= size() || p.output >= std::ssize(node(p.node).types))
      throw UsageError("node '" + name + "' takes an operand that is not in the graph");
    types.push_back(node(p.node).types[static_cast<size_t>(p.output)]);
    shapes.push_back(types.back().shape);
  };
  for (const Port& p : operands) take(p);
  std::vector<Type> outputs;
  try {
    const std::vector<std::string_view>& names = op->kind().operands;
    for (const ParameterSpec& spec : op->parameters(shapes)) {
      const auto place = std::ranges::find(names, spec.name) - names.begin();
      if (place < std::ssize(operands)) continue;  // the author gave it
      operands.push_back(parameter(name + "." + spec.name, spec.shape, spec.role));
      take(operands.back());
    }
    outputs = op->infer(types);
  } catch (const Error& e) {
    throw UsageError("node '" + name + "': " + e.what());
  }
  return append(
      {.name = std::move(name), .op = std::move(op), .inputs = std::move(operands), .types = outputs});
}

std::vector<NodeId> Graph::inputs() const {
  std::vector<NodeId> ids;
  for (NodeId i = 0; i < size(); ++i)
    if (node(i).kind == Node::Kind::input) ids.push_back(i);
  return ids;
}

std::vector<NodeId> Graph::consumers(NodeId id) const {
  std::vector<NodeId> ids;
  for (NodeId i = 0; i < size(); ++i)
    if (std::ranges::count(node(i).inputs, id, &Port::node)) ids.push_back(i);
  return ids;
}

bool leads_to(const Graph& graph, NodeId from, NodeId to) {
  std::vector<bool> reached(static_cast<size_t>(graph.size()),
                            false);  // operands come before what reads them
  reached[static_cast<size_t>(from)] = true;
  for (NodeId n = from + 1; n <= to; ++n)
    for (const Port& p : graph.node(n).inputs)
      if (reached[static_cast<size_t>(p.node)]) reached[static_cast<size_t>(n)] = true;
  return from <= to && reached[static_cast<size_t>(to)];
}

std::optional<NodeId> Graph::try_find(const std::string& name) const {
  for (NodeId i = 0; i < size(); ++i)
    if (!node(i).is_weight() && node(i).name == name) return i;
  const std::string prefix = name + ".";
  for (NodeId i = size() - 1; i >= 0; --i)
    if (!node(i).is_weight() && node(i).name.starts_with(prefix)) return i;
  return std::nullopt;
}

NodeId Graph::find(const std::string& name) const {
  if (auto id = try_find(name)) return *id;
  std::set<std::string> known;  // the nodes, and the modules around them
  for (const Node& n : nodes_) {
    if (n.is_weight()) continue;
    known.insert(n.name);
    for (size_t dot = n.name.find('.'); dot != std::string::npos; dot = n.name.find('.', dot + 1))
      known.insert(n.name.substr(0, dot));
  }
  const std::vector<std::string> names(known.begin(), known.end());
  throw UsageError("the network has no layer '" + name + "'" + did_you_mean(name, names) +
                   " (`loupe layers` lists them)");
}

std::vector<std::vector<Type>> Graph::types(std::span<const Shape> inputs) const {
  const std::vector<NodeId> ids = this->inputs();
  if (inputs.size() != ids.size())
    throw UsageError("the network takes " + std::to_string(ids.size()) + " input(s), got " +
                     std::to_string(inputs.size()));
  std::vector<std::vector<Type>> all;
  size_t next = 0;
  for (const Node& n : nodes_) {
    if (n.kind == Node::Kind::input) {
      if (inputs[next].rank() != n.shape().rank())
        throw UsageError("input '" + n.name + "' is like " + n.shape().str() + ", got " + inputs[next].str());
      all.push_back({{n.types[0].dtype, inputs[next++]}});
      continue;
    }
    if (n.is_weight()) {
      all.push_back(n.types);
      continue;
    }
    std::vector<Type> in;
    for (const Port& p : n.inputs)
      in.push_back(all[static_cast<size_t>(p.node)][static_cast<size_t>(p.output)]);
    try {
      all.push_back(n.op->infer(in));
    } catch (const Error& e) {
      throw UsageError("node '" + n.name + "': " + e.what());
    }
  }
  return all;
}

std::vector<Shape> Graph::input_shapes(int64_t n) const {
  std::vector<Shape> in;
  for (NodeId i : inputs()) in.push_back(node(i).shape().with(0, n));
  return in;
}

namespace {
std::vector<Shape> first_of(const std::vector<std::vector<Type>>& types) {
  std::vector<Shape> all;
  for (const std::vector<Type>& t : types) all.push_back(t[0].shape);
  return all;
}
}  // namespace

std::vector<Shape> Graph::shapes(const Shape& input) const { return first_of(types({&input, 1})); }
std::vector<Shape> Graph::shapes(int64_t n) const { return first_of(types(input_shapes(n))); }

std::vector<Shape> Graph::operand_shapes(NodeId id) const {
  std::vector<Shape> in;
  for (const Port& p : node(id).inputs) in.push_back(node(p.node).types[static_cast<size_t>(p.output)].shape);
  return in;
}

std::vector<NodeId> Graph::parameters(NodeId id) const {
  std::vector<NodeId> all;
  for (const Port& p : node(id).inputs)
    if (node(p.node).kind == Node::Kind::parameter) all.push_back(p.node);
  return all;
}

std::vector<NodeId> Graph::parameters() const {
  std::vector<NodeId> all;
  for (NodeId i = 0; i < size(); ++i)
    if (node(i).kind == Node::Kind::parameter) all.push_back(i);
  return all;
}

bool is_learned(ParameterSpec::Role role) {
  return role != ParameterSpec::Role::norm_mean && role != ParameterSpec::Role::norm_variance;
}

int64_t macs(const Graph& graph, NodeId id) {
  const Node& n = graph.node(id);
  return n.op ? n.op->macs(graph.operand_shapes(id)) : 0;
}

int64_t learned_parameters(const Graph& graph, NodeId id) {
  int64_t count = 0;
  for (NodeId p : graph.parameters(id))
    if (is_learned(graph.node(p).role)) count += graph.node(p).shape().numel();
  return count;
}

std::vector<ReceptiveField> receptive_fields(const Graph& graph) {
  // Along one axis cell i of a node sees [low + i·stride, high + i·stride].
  struct Axis {
    double low = 0, high = 0, stride = 1;
    void window(int64_t kernel, int64_t step, int64_t padding, int64_t dilation) {
      low -= static_cast<double>(padding) * stride;
      high += static_cast<double>((kernel - 1) * dilation - padding) * stride;
      stride *= static_cast<double>(step);
    }
    void join(const Axis& other) {
      low = std::min(low, other.low);
      high = std::max(high, other.high);
      stride = std::max(stride, other.stride);
    }
  };
  struct Field {
    bool whole = false;
    Axis h, w;
  };
  std::vector<Field> fields;
  for (NodeId i = 0; i < graph.size(); ++i) {
    const Node& n = graph.node(i);
    Field f;
    bool first = true;
    for (const Port& p : n.inputs) {
      if (graph.node(p.node).is_weight()) continue;
      const Field& in = fields[static_cast<size_t>(p.node)];
      if (first) {
        f = in;
        first = false;
      } else {
        f.whole |= in.whole;
        f.h.join(in.h);
        f.w.join(in.w);
      }
    }
    if (n.op) {
      if (const auto win = n.op->window()) {
        f.h.window(win->kernel.h, win->stride.h, win->padding.h, win->dilation.h);
        f.w.window(win->kernel.w, win->stride.w, win->padding.w, win->dilation.w);
      } else {
        f.whole = true;
      }
    }
    fields.push_back(f);
  }
  std::vector<ReceptiveField> out;
  for (const Field& f : fields) {
    ReceptiveField r;
    r.whole = f.whole;
    r.size = Pair(std::llround(f.h.high - f.h.low) + 1, std::llround(f.w.high - f.w.low) + 1);
    r.stride_h = f.h.stride;
    r.stride_w = f.w.stride;
    r.offset_h = f.h.low;
    r.offset_w = f.w.low;
    out.push_back(r);
  }
  return out;
}

}  // namespace loupe
