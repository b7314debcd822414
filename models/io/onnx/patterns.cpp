#include "models/io/onnx/patterns.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "models/io/onnx/constant.h"

namespace loupe::onnx {

namespace {

class Patterns {
 public:
  Patterns(const GraphProto& graph, const std::string& file) : file_(file) {
    for (const TensorProto& t : graph.initializers) stored_[t.name] = &t;
    for (const NodeProto& node : graph.nodes)
      for (const std::string& name : node.outputs) makers_[name] = &node;
  }

  /// x·½(1 + erf(x/√2)), its factors in any order.
  std::optional<NodeProto> gelu(const NodeProto& last) const {
    if (!is(&last, "Mul", 2)) return std::nullopt;
    std::vector<std::string> factors;  // of products of products
    collect_factors(last, factors, 0);
    const auto half = std::ranges::find_if(factors, [&](const std::string& f) { return is_number(f, 0.5); });
    if (factors.size() != 3 || half == factors.end()) return std::nullopt;
    factors.erase(half);
    for (const int i : {0, 1}) {
      const std::string &x = factors[static_cast<size_t>(i)], &sum = factors[static_cast<size_t>(1 - i)];
      if (is_one_plus_erf_of(sum, x)) return replaced(last, "Gelu", {x});
    }
    return std::nullopt;
  }

  /// (x − mean) / √(mean of its square + ε) · weight + bias, with means over the last axis.
  std::optional<NodeProto> layer_norm(const NodeProto& last) const {
    if (!is(&last, "Add", 2)) return std::nullopt;
    for (const size_t b : {size_t{1}, size_t{0}}) {
      const NodeProto* scaled = maker(last.inputs[1 - b]);
      if (!is(scaled, "Mul", 2) || !is_row(last.inputs[b])) continue;
      for (const size_t w : {size_t{1}, size_t{0}}) {
        if (!is_row(scaled->inputs[w])) continue;
        double eps = 0;
        const std::string x = normalised(maker(scaled->inputs[1 - w]), eps);
        if (x.empty()) continue;
        NodeProto norm = replaced(last, "LayerNormalization", {x, scaled->inputs[w], last.inputs[b]});
        AttributeProto epsilon;
        epsilon.name = "epsilon";
        epsilon.f = static_cast<float>(eps);
        norm.attributes.push_back(std::move(epsilon));
        return norm;
      }
    }
    return std::nullopt;
  }

 private:
  static NodeProto replaced(const NodeProto& last, const char* op, std::vector<std::string> inputs) {
    NodeProto node;
    node.name = last.name;
    node.op_type = op;
    node.inputs = std::move(inputs);
    node.outputs = last.outputs;
    return node;
  }

  const NodeProto* maker(const std::string& name) const {
    const auto found = makers_.find(name);
    return found == makers_.end() ? nullptr : found->second;
  }
  static bool is(const NodeProto* node, std::string_view op, size_t inputs) {
    return node && node->domain.empty() && node->op_type == op && node->inputs.size() == inputs;
  }

  // Exporters write a weight that is used twice as an Identity of the first.
  const TensorProto* known(const std::string& name, int depth = 0) const {
    if (const auto found = stored_.find(name); found != stored_.end()) return found->second;
    const NodeProto* node = maker(name);
    if (is(node, "Identity", 1) && depth < 4) return known(node->inputs[0], depth + 1);
    if (!is(node, "Constant", 0) || node->attributes.size() != 1 || !node->attributes[0].t) return nullptr;
    return &*node->attributes[0].t;
  }
  std::optional<double> number(const std::string& name) const {
    const TensorProto* t = known(name);
    if (!t) return std::nullopt;
    for (const int64_t d : t->dims)
      if (d != 1) return std::nullopt;
    return decode(*t, file_).real(0);
  }
  bool is_number(const std::string& name, double value) const {
    const std::optional<double> found = number(name);
    return found && std::abs(*found - value) < 1e-6;
  }
  bool is_row(const std::string& name) const {
    const TensorProto* t = known(name);
    return t && t->dims.size() == 1;
  }

  void collect_factors(const NodeProto& product, std::vector<std::string>& factors, int depth) const {
    for (const std::string& name : product.inputs) {
      const NodeProto* node = maker(name);
      if (depth == 0 && is(node, "Mul", 2) && factors.size() < 2)
        collect_factors(*node, factors, 1);
      else
        factors.push_back(name);
    }
  }

  bool is_one_plus_erf_of(const std::string& name, const std::string& x) const {
    const NodeProto* sum = maker(name);
    if (!is(sum, "Add", 2)) return false;
    for (const size_t one : {size_t{0}, size_t{1}}) {
      const NodeProto* erf = maker(sum->inputs[1 - one]);
      if (!is_number(sum->inputs[one], 1) || !is(erf, "Erf", 1)) continue;
      const NodeProto* scaled = maker(erf->inputs[0]);
      if (is(scaled, "Div", 2) && scaled->inputs[0] == x && is_number(scaled->inputs[1], std::sqrt(2)))
        return true;
      if (!is(scaled, "Mul", 2)) continue;
      for (const size_t k : {size_t{0}, size_t{1}})
        if (scaled->inputs[k] == x && is_number(scaled->inputs[1 - k], std::sqrt(0.5))) return true;
    }
    return false;
  }

  bool is_mean(const NodeProto* node) const {
    if (!node || node->domain != "" || node->op_type != "ReduceMean" || node->inputs.empty()) return false;
    std::vector<int64_t> axes;
    int64_t keep = 1;
    for (const AttributeProto& a : node->attributes) {
      if (a.name == "axes") axes = a.ints;
      if (a.name == "keepdims") keep = a.i;
    }
    if (node->inputs.size() == 2) {
      const std::optional<double> axis = number(node->inputs[1]);
      if (axis) axes = {static_cast<int64_t>(*axis)};
    }
    return keep == 1 && axes == std::vector<int64_t>{-1};
  }
  bool is_square_of(const NodeProto* node, const std::string& name) const {
    if (is(node, "Pow", 2)) return node->inputs[0] == name && is_number(node->inputs[1], 2);
    return is(node, "Mul", 2) && node->inputs[0] == name && node->inputs[1] == name;
  }

  // The name of x where `quotient` is its normalised values; "": it is something else.
  std::string normalised(const NodeProto* quotient, double& eps) const {
    if (!is(quotient, "Div", 2)) return "";
    const std::string& centred = quotient->inputs[0];
    const NodeProto *difference = maker(centred), *root = maker(quotient->inputs[1]);
    if (!is(difference, "Sub", 2) || !is(root, "Sqrt", 1)) return "";
    const NodeProto* mean = maker(difference->inputs[1]);
    if (!is_mean(mean) || mean->inputs[0] != difference->inputs[0]) return "";
    const NodeProto* sum = maker(root->inputs[0]);
    if (!is(sum, "Add", 2)) return "";
    for (const size_t e : {size_t{1}, size_t{0}}) {
      const std::optional<double> found = number(sum->inputs[e]);
      const NodeProto* variance = maker(sum->inputs[1 - e]);
      if (!found || !is_mean(variance) || !is_square_of(maker(variance->inputs[0]), centred)) continue;
      eps = *found;
      return difference->inputs[0];
    }
    return "";
  }

  const std::string& file_;
  std::unordered_map<std::string, const TensorProto*> stored_;
  std::unordered_map<std::string, const NodeProto*> makers_;
};

}  // namespace

std::vector<NodeProto> with_patterns(const GraphProto& graph, const std::string& file) {
  const Patterns patterns(graph, file);
  std::vector<NodeProto> nodes;
  nodes.reserve(graph.nodes.size());
  for (const NodeProto& node : graph.nodes) {
    std::optional<NodeProto> found;
    if (node.domain.empty() && node.op_type == "Mul") found = patterns.gelu(node);
    if (node.domain.empty() && node.op_type == "Add") found = patterns.layer_norm(node);
    nodes.push_back(found ? std::move(*found) : node);
  }
  return nodes;
}

}  // namespace loupe::onnx
