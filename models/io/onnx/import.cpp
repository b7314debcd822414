#include "models/io/onnx/import.h"

#include <algorithm>

#include "kernels/common/error.h"
#include "kernels/transpose/transpose.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/importer.h"
#include "models/io/onnx/patterns.h"
#include "models/io/safetensors_header.h"  // in_quotes

namespace loupe::onnx {

namespace {

using safetensors::in_quotes;

// Functions that call functions, and subgraphs in subgraphs.
constexpr int kDeepest = 32;
constexpr int64_t kOpenSize = 224;  // of a picture's height and width where the file leaves them open

const OpMapping* find_mapping(const std::string& domain, const std::string& op_type) {
  static const auto rows = [] {
    std::map<std::pair<std::string_view, std::string_view>, const OpMapping*> all;
    for (const OnnxGroup* group : all_onnx_groups())
      for (const OpMapping& row : group->rows) all[{row.domain, row.op_type}] = &row;
    return all;
  }();
  const auto found = rows.find({domain, op_type});
  return found == rows.end() ? nullptr : found->second;
}

// The names that a node reads, those that its subgraphs read from around them included.
void collect_reads(const NodeProto& node, std::vector<std::string>& names) {
  names.insert(names.end(), node.inputs.begin(), node.inputs.end());
  for (const AttributeProto& a : node.attributes)
    if (a.g) {
      for (const NodeProto& inner : a.g->nodes) collect_reads(inner, names);
      for (const ValueInfoProto& out : a.g->outputs) names.push_back(out.name);
    }
}

// Names come from anywhere, and are shown to people.
std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = '?';
  return text;
}

std::string op_name(const NodeProto& node) {
  return node.domain.empty() ? node.op_type : node.domain + "." + node.op_type;
}

}  // namespace

Importer::Importer(const ModelProto& model, const ImportOptions& options) : model_(model), options_(options) {
  for (const FunctionProto& f : model.functions) functions_[{f.domain, f.name}] = &f;
  root_.opsets = &model.opsets;
}

void Importer::fail(const std::string& what) const { throw Error("'" + model_.file + "': " + what); }

void Importer::list_missing() const {
  std::string all;
  for (const auto& [what, m] : missing_)
    all += (all.empty() ? "" : "; ") + what + " (" + std::to_string(m.count) +
           (m.count == 1 ? " node: " : " nodes, the first is ") + in_quotes(m.first) + ")";
  fail("Loupe lacks operations that it needs: " + all);
}

int64_t Importer::opset(const Scope& scope, const std::string& domain) const {
  if (const auto found = scope.opsets->find(domain); found != scope.opsets->end()) return found->second;
  const auto found = model_.opsets.find(domain);
  return found == model_.opsets.end() ? 1 : found->second;
}

std::string Importer::unique(const std::string& name) {
  const std::string wanted = name.empty() ? "node" : one_line(name);
  std::string candidate = wanted;
  for (int i = 2; !taken_.insert(candidate).second; ++i) candidate = wanted + "_" + std::to_string(i);
  return candidate;
}

Value Importer::known(Constant one, std::optional<Constant> two) {
  folded_ += one.numel() + (two ? two->numel() : 0);
  if (folded_ > options_.folded)
    throw Error("its constants come to more than " + std::to_string(options_.folded) + " numbers");
  Value value{.type = one.type, .shape = one.shape, .shape2 = two ? two->shape : one.shape};
  value.constant = std::make_shared<Constant>(std::move(one));
  if (two) value.constant2 = std::make_shared<Constant>(std::move(*two));
  return value;
}

void Importer::take_initializers(Scope& scope, const GraphProto& graph) {
  for (const TensorProto& t : graph.initializers) scope.initializers[t.name] = &t;
}

const Value* Importer::find(Scope& scope, const std::string& name) {
  for (const Scope* s = &scope; s; s = s->parent) {
    if (const auto found = s->values.find(name); found != s->values.end()) return &found->second;
    const auto stored = s->initializers.find(name);
    if (stored == s->initializers.end()) continue;
    Value value = known(decode(*stored->second, model_.file), std::nullopt);
    value.name = s->prefix + name;
    return &(scope.values[name] = std::move(value));
  }
  return nullptr;
}

// An input of whole numbers that only choose rows stays i32.
bool Importer::looks_up_only(const std::string& input) const {
  bool used = false;
  for (const NodeProto& n : model_.graph.nodes)
    for (size_t k = 0; k < n.inputs.size(); ++k) {
      if (n.inputs[k] != input) continue;
      if (n.op_type != "Gather" || k != 1) return false;
      used = true;
    }
  return used;
}

void Importer::take_input(const ValueInfoProto& info) {
  if (root_.initializers.contains(info.name)) return;
  if (const auto given = options_.known.find(info.name); given != options_.known.end()) {
    Value value = known(given->second, std::nullopt);
    value.name = info.name;
    root_.values[info.name] = std::move(value);
    return;
  }
  if (!info.shape) fail("its input " + in_quotes(info.name) + " is no tensor, or of no known shape");
  if (info.type == ElementType::string) fail("its input " + in_quotes(info.name) + " is text");
  std::vector<int64_t> dims;
  for (const Dimension& d : *info.shape)
    dims.push_back(d.value.value_or(0) > 0 ? *d.value : dims.empty() ? 1 : kOpenSize);
  const auto open = [&](size_t i) { return (*info.shape)[i].value.value_or(0) <= 0; };
  if (dims.size() == 4 && options_.pictures)  // an open number of channels is three
    if (open(1) && !(dims[3] == 3 || dims[3] == 1)) dims[1] = 3;
  Shape shape;
  try {
    shape = Shape(std::span<const int64_t>(dims));
  } catch (const Error& e) {
    fail("its input " + in_quotes(info.name) + ": " + e.what());
  }
  if (const auto given = options_.shapes.find(info.name); given != options_.shapes.end())
    shape = given->second;
  const auto twice = [](const Shape& s) { return s.rank() ? s.with(0, 2 * s[0]) : s; };
  const auto channels = [](int64_t n) { return n == 3 || n == 1; };
  const bool last = options_.pictures && shape.rank() == 4 && channels(shape[3]) && !channels(shape[1]);
  const Shape here = last ? Shape{shape[0], shape[3], shape[1], shape[2]} : shape;
  const bool whole = !is_real(info.type) && looks_up_only(info.name);
  Value value{.type = info.type, .name = info.name, .shape = here, .shape2 = twice(here)};
  value.port =
      graph_.input(unique(info.name), here.rank() ? here : Shape{1}, whole ? Dtype::i32 : Dtype::f32);
  shapes2_[value.port] = here.rank() ? value.shape2 : Shape{1};
  if (last) {  // an exporter's own Transpose undoes this one
    const Value maps = value;
    value = add(unique(info.name + ".channels_last"), loupe::transpose({0, 2, 3, 1}), {maps.port});
    value.type = info.type;
    transposed_[value.port] = {maps, {0, 2, 3, 1}};
  }
  root_.values[info.name] = std::move(value);
}

void Importer::import_nodes(Scope& scope, const std::vector<NodeProto>& nodes,
                            const std::vector<std::string>& wanted) {
  std::unordered_set<std::string> needed(wanted.begin(), wanted.end());
  std::vector<const NodeProto*> live;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    const auto asked = [&](const std::string& name) { return !name.empty() && needed.contains(name); };
    if (std::none_of(node->outputs.begin(), node->outputs.end(), asked)) continue;
    live.push_back(&*node);
    std::vector<std::string> reads;
    collect_reads(*node, reads);
    needed.insert(reads.begin(), reads.end());
  }
  std::reverse(live.begin(), live.end());
  for (const NodeProto* node : live) import_node(scope, *node);
}

void Importer::give_up(Scope& scope, const NodeProto& node) {
  for (const std::string& name : node.outputs)
    if (!name.empty()) scope.values[name] = {};
}

void Importer::import_node(Scope& scope, const NodeProto& node) {
  if (++imported_ > options_.nodes)
    fail("it has more than " + std::to_string(options_.nodes) + " nodes, functions expanded");
  const std::string own = !node.name.empty()     ? node.name
                          : node.outputs.empty() ? node.op_type
                                                 : node.outputs[0];
  const std::string name = scope.prefix + own;
  const auto record = [&](const std::string& what) {
    Missing& m = missing_[what];
    if (m.count++ == 0) m.first = name;
    give_up(scope, node);
  };
  const auto function = functions_.find({node.domain, node.op_type});
  const OpMapping* row = find_mapping(node.domain, node.op_type);
  if (function == functions_.end() && !row) return record(op_name(node));
  bool all_known = true, all_defined = true;
  for (const std::string& input : node.inputs) {
    if (input.empty()) continue;
    const Value* value = find(scope, input);
    if (!value)
      fail("node " + in_quotes(name) + " reads " + in_quotes(input) + ", which nothing before it makes");
    all_known &= value->known();
    all_defined &= value->defined();
  }
  if (!all_defined) return give_up(scope, node);  // of what is not supported itself
  if (function != functions_.end()) return call_function(scope, node, *function->second, name);
  NodeImport n(*this, scope, node, name, opset(scope, node.domain));
  try {
    bool done = false;
    if (row->fold && all_known) try {
        fold(scope, n, *row);
        done = true;
      } catch (const Unsupported&) {  // it may be one for the run
        if (!row->map) throw;
      }
    if (!done && !row->map) n.unsupported("of values that are not known before the run");
    if (!done) row->map(n);
    keep_outputs(scope, n);
  } catch (const Unsupported& e) {
    record(op_name(node) + ": " + e.what());
  } catch (const Error& e) {
    if (std::string_view(e.what()).starts_with("'" + model_.file + "'")) throw;
    fail("node " + in_quotes(name) + " (" + op_name(node) + "): " + e.what());
  }
}

void Importer::fold(Scope& scope, NodeImport& node, const OpMapping& row) {
  std::vector<const Constant*> one, two;
  bool differs = false;
  for (const std::string& input : node.proto().inputs) {
    const Value* value = input.empty() ? nullptr : find(scope, input);
    one.push_back(value ? value->constant.get() : nullptr);
    two.push_back(value && value->constant2 ? value->constant2.get() : one.back());
    differs |= two.back() != one.back();
  }
  Folded results = row.fold(node, one), results2;
  if (differs) try {
      results2 = row.fold(node, two);
    } catch (const Error&) {
      any_batch_ = false;
    }
  for (Folded* all : {&results, &results2})
    for (Constant& c : *all) wrap(c);
  for (size_t k = 0; k < results.size(); ++k) {
    std::optional<Constant> second;
    if (k < results2.size()) second = std::move(results2[k]);
    node.output(k, std::move(results[k]), std::move(second));
  }
}

void Importer::keep_outputs(Scope& scope, NodeImport& node) {
  for (size_t k = 0; k < node.proto().outputs.size(); ++k) {
    const std::string& name = node.proto().outputs[k];
    if (name.empty()) continue;
    const auto found = node.outputs_.find(k);
    Value value = found == node.outputs_.end() ? Value{} : std::move(found->second);
    if (value.name.empty()) value.name = scope.prefix + name;
    scope.values[name] = std::move(value);
  }
}

void Importer::call_function(Scope& scope, const NodeProto& node, const FunctionProto& function,
                             const std::string& name) {
  if (scope.depth >= kDeepest)
    fail("its functions call each other more than " + std::to_string(kDeepest) + " deep");
  Scope inner{.prefix = name + "/", .opsets = &function.opsets, .depth = scope.depth + 1};
  for (const AttributeProto& a : function.defaults) inner.attributes[a.name] = &a;
  for (const AttributeProto& a : node.attributes) {
    const AttributeProto* value = &a;
    if (!a.refers.empty()) {
      const auto given = scope.attributes.find(a.refers);
      if (given == scope.attributes.end()) continue;
      value = given->second;
    }
    inner.attributes[a.name] = value;
  }
  for (size_t k = 0; k < function.inputs.size(); ++k) {
    const bool given = k < node.inputs.size() && !node.inputs[k].empty();
    if (given) inner.values[function.inputs[k]] = *find(scope, node.inputs[k]);
  }
  import_nodes(inner, function.nodes, function.outputs);
  for (size_t k = 0; k < node.outputs.size() && k < function.outputs.size(); ++k) {
    if (node.outputs[k].empty()) continue;
    const Value* value = find(inner, function.outputs[k]);
    if (!value)
      fail("the function " + in_quotes(function.name) + " does not make its output " +
           in_quotes(function.outputs[k]));
    scope.values[node.outputs[k]] = *value;
  }
}

Imported Importer::run() {
  if (const int64_t version = opset(root_, ""); version < 7)
    fail("it is written for opset " + std::to_string(version) + " of ONNX; Loupe reads 7 and newer");
  take_initializers(root_, model_.graph);
  for (const ValueInfoProto& input : model_.graph.inputs) take_input(input);
  std::vector<std::string> wanted;
  for (const ValueInfoProto& output : model_.graph.outputs) wanted.push_back(output.name);
  if (wanted.empty()) fail("it has no output");
  const std::vector<NodeProto> nodes = with_patterns(model_.graph, model_.file);
  import_nodes(root_, nodes, wanted);
  if (!missing_.empty()) list_missing();
  Imported out;
  for (const std::string& name : wanted) {
    const Value* value = find(root_, name);
    if (!value || !value->defined() || value->sequence) fail("nothing makes its output " + in_quotes(name));
    // A result that does not grow with the batch has mixed its images.
    if (!value->known() && (value->shape.rank() == 0 || value->shape2[0] != 2 * value->shape[0]))
      any_batch_ = false;
    out.outputs.push_back(*value);
  }
  sweep(out.outputs);
  out.graph = std::move(graph_);
  out.parameters = std::move(parameters_);
  out.any_batch = any_batch_;
  out.notes = std::move(notes_);
  return out;
}

// The graph again with what its outputs need, and all its inputs.
void Importer::sweep(std::vector<Value>& outputs) {
  std::vector<bool> live(static_cast<size_t>(graph_.size()));
  for (const Value& v : outputs)
    if (!v.known()) live[static_cast<size_t>(v.port.node)] = true;
  for (NodeId i = graph_.size() - 1; i >= 0; --i) {
    if (graph_.node(i).kind == Node::Kind::input) live[static_cast<size_t>(i)] = true;
    if (live[static_cast<size_t>(i)])
      for (const Port& p : graph_.node(i).inputs) live[static_cast<size_t>(p.node)] = true;
  }
  Graph kept;
  std::vector<NodeId> place(live.size(), -1);
  const auto moved = [&](const Port& p) { return Port(place[static_cast<size_t>(p.node)], p.output); };
  for (NodeId i = 0; i < graph_.size(); ++i) {
    const Node& n = graph_.node(i);
    if (!live[static_cast<size_t>(i)]) {
      parameters_.erase(n.name);
      continue;
    }
    std::vector<Port> operands;
    for (const Port& p : n.inputs) operands.push_back(moved(p));
    place[static_cast<size_t>(i)] =
        n.kind == Node::Kind::input       ? kept.input(n.name, n.shape(), n.types[0].dtype)
        : n.kind == Node::Kind::constant  ? kept.constant(n.name, n.value)
        : n.kind == Node::Kind::parameter ? kept.parameter(n.name, n.shape(), n.role)
                                          : kept.add(n.name, n.op, std::move(operands));
  }
  for (Value& v : outputs)
    if (!v.known()) v.port = moved(v.port);
  if (!outputs[0].known()) kept.set_output(outputs[0].port.node);
  graph_ = std::move(kept);
}

Imported import(const ModelProto& model, const ImportOptions& options) {
  try {
    return Importer(model, options).run();
  } catch (const Error& e) {
    throw Error(one_line(e.what()));
  }
}

}  // namespace loupe::onnx
