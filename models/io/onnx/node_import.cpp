// What a mapping asks of its node, and adds to the graph.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <numeric>

#include "kernels/common/error.h"
#include "kernels/expand/expand.h"
#include "kernels/transpose/transpose.h"
#include "models/io/onnx/importer.h"

namespace loupe::onnx {

// ---- attributes

const AttributeProto* NodeImport::attribute(std::string_view name) const {
  const auto found = std::ranges::find(proto_.attributes, name, &AttributeProto::name);
  if (found == proto_.attributes.end()) return nullptr;
  if (found->refers.empty()) return &*found;
  const auto given = scope_.attributes.find(found->refers);
  return given == scope_.attributes.end() ? nullptr : given->second;
}

int64_t NodeImport::i(std::string_view name, int64_t otherwise) const {
  const AttributeProto* a = attribute(name);
  return a ? a->i : otherwise;
}
double NodeImport::f(std::string_view name, double otherwise) const {
  const AttributeProto* a = attribute(name);
  if (!a) return otherwise;
  // The decimal that the author wrote, 1e-5, rather than the float32 next to it.
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text - 1, a->f).ptr;
  *end = 0;
  return std::strtod(text, nullptr);
}
std::string NodeImport::s(std::string_view name, const std::string& otherwise) const {
  const AttributeProto* a = attribute(name);
  return a ? a->s : otherwise;
}
std::vector<int64_t> NodeImport::ints(std::string_view name, const std::vector<int64_t>& otherwise) const {
  const AttributeProto* a = attribute(name);
  return a ? a->ints : otherwise;
}
std::vector<double> NodeImport::floats(std::string_view name) const {
  const AttributeProto* a = attribute(name);
  return a ? std::vector<double>(a->floats.begin(), a->floats.end()) : std::vector<double>{};
}

// ---- operands

const Value& NodeImport::value(size_t k) const {
  if (!has(k)) throw Error("operand " + std::to_string(k) + " is missing");
  return *importer_.find(const_cast<Scope&>(scope_), proto_.inputs[k]);
}

std::vector<int64_t> NodeImport::integers(size_t k) const {
  const Value& v = value(k);
  if (!v.known()) unsupported("operand " + std::to_string(k) + " is not known before the run");
  std::vector<int64_t> all;
  for (int64_t i = 0; i < v.constant->numel(); ++i) all.push_back(v.constant->integer(i));
  return all;
}

std::vector<int64_t> NodeImport::integers(size_t k, std::string_view attribute_name,
                                          const std::vector<int64_t>& otherwise) const {
  return has(k) ? integers(k) : ints(attribute_name, otherwise);
}

double NodeImport::scalar(size_t k, double otherwise) const {
  if (!has(k)) return otherwise;
  const Value& v = value(k);
  if (!v.known()) unsupported("operand " + std::to_string(k) + " is not known before the run");
  if (v.constant->numel() != 1) throw Error("operand " + std::to_string(k) + " should be one number");
  return v.constant->real(0);
}

Port NodeImport::port(size_t k) {
  const Value& v = value(k);
  if (v.sequence) unsupported("of a sequence");
  if (!v.known()) return v.port;
  const Port here = importer_.weight(v, ParameterSpec::Role::weight, "", {});
  return v.constant2 && v.constant2->shape != v.shape ? importer_.repeated(v, here) : here;
}

Port NodeImport::parameter(size_t k, ParameterSpec::Role role, const std::string& form,
                           const std::function<Tensor(const Tensor&)>& change) {
  const Value& v = value(k);
  if (!v.known()) {
    if (form.empty()) return v.port;
    unsupported("operand " + std::to_string(k) + " is computed in a run");
  }
  return importer_.weight(v, role, form, change);
}

Port NodeImport::constant(const std::string& suffix, const Tensor& values) {
  return importer_.graph_.constant(importer_.unique(name_ + "." + suffix), values);
}

Port NodeImport::constant_rows(const std::string& suffix, const std::vector<int64_t>& values,
                               const Shape& shape) {
  Tensor t(Dtype::i32, shape);
  std::ranges::transform(values, t.values<int32_t>().begin(),
                         [](int64_t v) { return static_cast<int32_t>(v); });
  return constant(suffix, t);
}

Port NodeImport::row_numbers(const std::string& suffix, int64_t begin, int64_t count, int64_t step) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(begin + i * step);
  return constant_rows(suffix, rows, {count});
}

Port NodeImport::part_of_batch(size_t k) {
  const Value& v = value(k);
  const auto like = std::ranges::find_if(proto_.inputs, [&](const std::string& name) {
    const Value* other = name.empty() ? nullptr : importer_.find(const_cast<Scope&>(scope_), name);
    return other && !other->known() && other->shape.rank() && other->shape2[0] != other->shape[0];
  });
  const Port here = port(k);
  if (!v.known() || v.shape.rank() == 0 || v.shape[0] != 1 || like == proto_.inputs.end()) return here;
  if (v.constant2) return here;
  return importer_.repeated(v, here);
}

std::optional<Node> NodeImport::made_by(const Value& value) const {
  if (value.known() || value.port.node < 0) return std::nullopt;
  const Node& node = importer_.graph_.node(value.port.node);
  return node.op ? std::optional(node) : std::nullopt;
}

Port NodeImport::indices(size_t k) {
  const Value& v = value(k);
  if (v.known()) {
    Tensor t(Dtype::i32, v.shape);
    for (int64_t i = 0; i < t.numel(); ++i)
      t.values<int32_t>()[static_cast<size_t>(i)] = static_cast<int32_t>(v.constant->integer(i));
    return constant("indices", t);
  }
  const Type& type = importer_.graph_.node(v.port.node).types[static_cast<size_t>(v.port.output)];
  if (type.dtype != Dtype::i32) unsupported("indices that are computed in a run");
  return v.port;
}

// ---- results

Value NodeImport::add(const std::string& suffix, OpPtr op, std::vector<Port> operands) {
  return importer_.add(importer_.unique(suffix.empty() ? name_ : name_ + "." + suffix), std::move(op),
                       std::move(operands));
}

Value NodeImport::sibling(const Value& value, int output) const {
  Value other{.type = value.type, .port = Port(value.port.node, output)};
  other.shape = importer_.graph_.node(value.port.node).types.at(static_cast<size_t>(output)).shape;
  other.shape2 = importer_.shape2_of(other.port);
  return other;
}

Value NodeImport::transpose(const std::string& suffix, const Value& x, const std::vector<int>& permutation) {
  Value from = x;
  std::vector<int> order = permutation;
  if (const auto before = importer_.transposed_.find(x.port); before != importer_.transposed_.end()) {
    from = before->second.first;
    for (int& axis : order) axis = before->second.second.at(static_cast<size_t>(axis));
  }
  std::vector<int> same(order.size());
  std::iota(same.begin(), same.end(), 0);
  if (order == same) return from;
  Value y = add(suffix, loupe::transpose(order), {from.port});
  y.type = x.type;
  importer_.transposed_[y.port] = {from, order};
  return y;
}

void NodeImport::output(size_t k, Value value) { outputs_[k] = std::move(value); }

void NodeImport::output(size_t k, Constant value, std::optional<Constant> at_two) {
  outputs_[k] = importer_.known(std::move(value), std::move(at_two));
}

int64_t NodeImport::element_limit() const { return importer_.options_.folded - importer_.folded_; }

void NodeImport::note(const std::string& line) {
  if (!std::ranges::count(importer_.notes_, line)) importer_.notes_.push_back(line);
}

void NodeImport::unsupported(const std::string& why) const { throw Unsupported(why); }

std::vector<Value> NodeImport::inline_graph(const GraphProto& graph) {
  if (scope_.depth >= 32) importer_.fail("its graphs are nested too deep");
  Scope inner{.parent = &scope_,
              .prefix = name_ + "/",
              .opsets = scope_.opsets,
              .attributes = scope_.attributes,
              .depth = scope_.depth + 1};
  importer_.take_initializers(inner, graph);
  std::vector<std::string> wanted;
  for (const ValueInfoProto& out : graph.outputs) wanted.push_back(out.name);
  importer_.import_nodes(inner, graph.nodes, wanted);
  std::vector<Value> results;
  for (const std::string& name : wanted) {
    const Value* value = importer_.find(inner, name);
    if (!value) throw Error("a subgraph does not make its output '" + name + "'");
    results.push_back(*value);
  }
  return results;
}

// ---- the importer's part

// A constant that grew with the batch, as the engine repeats it: once for every image.
Port Importer::repeated(const Value& value, Port once) {
  const bool grew = !value.constant2 || (value.shape.rank() && value.shape[0] == 1 &&
                                         value.constant2->shape == value.shape.with(0, 2));
  const std::vector<NodeId> inputs = graph_.inputs();
  const auto like = std::ranges::find_if(
      inputs, [&](NodeId i) { return graph_.node(i).shape().rank() && graph_.node(i).shape()[0] == 1; });
  if (!grew || like == inputs.end()) {
    any_batch_ = false;
    return once;
  }
  return add(unique(value.name + ".repeated"), expand(), {once, *like}).port;
}

Value Importer::add(const std::string& name, OpPtr op, std::vector<Port> operands) {
  std::vector<Type> types2;
  for (const Port& p : operands)
    types2.push_back({graph_.node(p.node).types.at(static_cast<size_t>(p.output)).dtype, shape2_of(p)});
  Value value;
  value.port = graph_.add(name, op, std::move(operands));
  const std::vector<Type>& types = graph_.node(value.port.node).types;
  std::vector<Type> at_two = types;
  if (any_batch_) try {
      at_two = op->infer(types2);
    } catch (const Error&) {
      any_batch_ = false;
    }
  for (size_t k = 0; k < types.size(); ++k)
    shapes2_[Port(value.port.node, static_cast<int>(k))] = at_two[k].shape;
  value.shape = types[0].shape;
  value.shape2 = at_two[0].shape;
  return value;
}

Shape Importer::shape2_of(const Port& p) const {
  if (const auto found = shapes2_.find(p); found != shapes2_.end() && any_batch_) return found->second;
  return graph_.node(p.node).types[static_cast<size_t>(p.output)].shape;
}

NodeId Importer::weight(const Value& value, ParameterSpec::Role role, const std::string& form,
                        const std::function<Tensor(const Tensor&)>& change) {
  const std::string key = value.name + "\n" + form;
  if (const auto found = weights_.find(key); found != weights_.end()) return found->second;
  Tensor values = value.constant->tensor();
  if (values.dtype() == Dtype::f64) values = values.to(Dtype::f32);
  if (change) values = change(values);
  if (values.shape().rank() == 0) values = values.reshape({1});  // the engine's least
  const std::string name = unique(form.empty() ? value.name : value.name + "." + form);
  const bool architecture = !value.constant->is_real() || values.numel() == 1;
  const NodeId id =
      architecture ? graph_.constant(name, values) : graph_.parameter(name, values.shape(), role);
  if (!architecture) parameters_[name] = values;
  return weights_[key] = id;
}

}  // namespace loupe::onnx
