#include "engine/graph/graph.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/common/suggest.h"

namespace loupe {

NodeId Graph::input(std::string name, Shape shape, Dtype dtype) {
  nodes_.push_back({std::move(name), nullptr, {}, shape, {}, dtype});
  return size() - 1;
}

NodeId Graph::add(std::string name, OpPtr op, std::vector<NodeId> inputs) {
  for (const Node& n : nodes_)
    if (n.name == name) throw UsageError("two nodes of the graph are named '" + name + "'");
  std::vector<Shape> shapes;
  for (NodeId i : inputs) {
    if (i < 0 || i >= size()) throw UsageError("node '" + name + "' takes an input that is not in the graph");
    shapes.push_back(node(i).shape);
  }
  Node node{std::move(name), std::move(op), std::move(inputs), {}, {}, Dtype::f32};
  try {
    node.shape = node.op->infer(shapes);
    node.parameters = node.op->parameters(shapes);
  } catch (const Error& e) {
    throw UsageError("node '" + node.name + "': " + e.what());
  }
  for (ParameterSpec& p : node.parameters) p.name = node.name + "." + p.name;
  nodes_.push_back(std::move(node));
  return size() - 1;
}

std::vector<NodeId> Graph::inputs() const {
  std::vector<NodeId> ids;
  for (NodeId i = 0; i < size(); ++i)
    if (!node(i).op) ids.push_back(i);
  return ids;
}

std::vector<NodeId> Graph::consumers(NodeId id) const {
  std::vector<NodeId> ids;
  for (NodeId i = 0; i < size(); ++i)
    if (std::ranges::count(node(i).inputs, id)) ids.push_back(i);
  return ids;
}

std::optional<NodeId> Graph::try_find(const std::string& name) const {
  for (NodeId i = 0; i < size(); ++i)
    if (node(i).name == name) return i;
  const std::string prefix = name + ".";
  for (NodeId i = size() - 1; i >= 0; --i)
    if (node(i).name.starts_with(prefix)) return i;
  return std::nullopt;
}

NodeId Graph::find(const std::string& name) const {
  if (auto id = try_find(name)) return *id;
  std::set<std::string> known;  // the nodes, and the modules around them
  for (const Node& n : nodes_) {
    known.insert(n.name);
    for (size_t dot = n.name.find('.'); dot != std::string::npos; dot = n.name.find('.', dot + 1))
      known.insert(n.name.substr(0, dot));
  }
  const std::vector<std::string> names(known.begin(), known.end());
  throw UsageError("the network has no layer '" + name + "'" + did_you_mean(name, names) +
                   " (`loupe layers` lists them)");
}

std::vector<Shape> Graph::shapes(int64_t n) const {
  std::vector<Shape> all;
  for (NodeId i = 0; i < size(); ++i) {
    if (!node(i).op) {
      all.push_back(node(i).shape.with(0, n));
      continue;
    }
    std::vector<Shape> in;
    for (NodeId j : node(i).inputs) in.push_back(all[static_cast<size_t>(j)]);
    all.push_back(node(i).op->infer(in));
  }
  return all;
}

std::vector<Shape> Graph::input_shapes(NodeId id, int64_t n) const {
  std::vector<Shape> in;
  for (NodeId j : node(id).inputs) in.push_back(node(j).shape.with(0, n));
  return in;
}

std::vector<ParameterSpec> Graph::parameters() const {
  std::vector<ParameterSpec> all;
  for (const Node& n : nodes_) all.insert(all.end(), n.parameters.begin(), n.parameters.end());
  return all;
}

int64_t macs(const Graph& graph, NodeId id) {
  const Node& n = graph.node(id);
  return n.op ? n.op->macs(graph.input_shapes(id)) : 0;
}

int64_t learned_parameters(const Node& node) {
  using Role = ParameterSpec::Role;
  int64_t count = 0;
  for (const ParameterSpec& p : node.parameters)
    if (p.role != Role::norm_mean && p.role != Role::norm_variance) count += p.shape.numel();
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
    for (size_t k = 0; k < n.inputs.size(); ++k) {
      const Field& in = fields[static_cast<size_t>(n.inputs[k])];
      if (k == 0) {
        f = in;
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
