#include "models/io/onnx/onnx_model.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/error.h"
#include "kernels/flatten/flatten.h"
#include "models/io/onnx/import.h"

namespace loupe {

namespace {

using onnx::ModelProto;
using onnx::NodeProto;

// What may stand between the last softmax and the output without a change of its numbers.
bool passes_on(const NodeProto& node) {
  for (const char* op : {"Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Dropout", "Cast"})
    if (node.domain.empty() && node.op_type == op) return true;
  return false;
}

// The numbers of the first output, where the file says them; 0: not.
int64_t output_classes(const ModelProto& model) {
  const auto& shape = model.graph.outputs.at(0).shape;
  int64_t count = 1;
  if (!shape || shape->size() < 2) return 0;
  for (size_t i = 1; i < shape->size(); ++i) count *= (*shape)[i].value.value_or(0);
  return count;
}

// Makes the last softmax an identity, or a sigmoid of a single score. Says so.
std::vector<std::string> leave_off_softmax(ModelProto& model) {
  std::string name = model.graph.outputs.at(0).name;
  for (auto n = model.graph.nodes.rbegin(); n != model.graph.nodes.rend(); ++n) {
    NodeProto& node = *n;
    if (!std::ranges::count(node.outputs, name)) continue;
    const bool softmax = node.domain.empty() && (node.op_type == "Softmax" || node.op_type == "LogSoftmax");
    const bool sigmoid = node.domain.empty() && node.op_type == "Sigmoid" && output_classes(model) == 1;
    if (softmax || sigmoid) {
      const std::string what = node.op_type;
      node.op_type = "Identity";
      node.attributes.clear();
      return {"'" + model.file + "' ends with a " + what +
              ", which is left off: scores are explained, not probabilities"};
    }
    if (!passes_on(node) || node.inputs.empty()) break;
    name = node.inputs[0];
  }
  return {};
}

// Sizes of the first input that the options say and the file leaves open; a batch of several becomes one.
onnx::ImportOptions import_options(const ModelProto& model, const ModelOptions& options) {
  onnx::ImportOptions import;
  for (const onnx::ValueInfoProto& input : model.graph.inputs) {
    if (!input.shape || std::ranges::count(model.graph.initializers, input.name, &onnx::TensorProto::name))
      continue;
    const auto size = [&](size_t i, int64_t otherwise) {
      const auto& value = (*input.shape)[i].value;
      return value && *value > 0 ? *value : otherwise;
    };
    const auto& dims = *input.shape;
    if (dims.empty()) return import;
    std::vector<int64_t> sizes{1};
    for (size_t i = 1; i < dims.size(); ++i) sizes.push_back(size(i, 224));
    if (dims.size() == 4) {
      const bool last = size(3, 0) == 3 || size(3, 0) == 1;
      if (!last) sizes[1] = size(1, 3);
      sizes[last ? 1 : 2] = size(last ? 1 : 2, options.height ? options.height : 224);
      sizes[last ? 2 : 3] = size(last ? 2 : 3, options.width ? options.width : 224);
    }
    if (sizes.size() <= Shape::kMaxRank) import.shapes[input.name] = Shape(std::span<const int64_t>(sizes));
    return import;  // the others are the importer's business
  }
  return import;
}

// A file that was written down for a batch of several is tried with one; numbers in it may stand in the way.
onnx::Imported import_for_one(const ModelProto& model, const onnx::ImportOptions& options) {
  int64_t batch = 1;
  for (const onnx::ValueInfoProto& input : model.graph.inputs)
    if (options.shapes.contains(input.name) && !input.shape->empty())
      batch = input.shape->front().value.value_or(1);
  try {
    return onnx::import(model, options);
  } catch (const Error& e) {
    if (batch <= 1) throw;
    throw Error(std::string(e.what()) + " (it was exported for a batch of " + std::to_string(batch) +
                ": export it for one, or with an open batch)");
  }
}

// The first operand that is no weight; −1: none.
NodeId above(const Graph& graph, NodeId n) {
  for (const Port& p : graph.node(n).inputs)
    if (!graph.node(p.node).is_weight()) return p.node;
  return -1;
}

// Whether maps lie as (N, H, W, C), as a transpose above them has put them.
bool is_channels_last(const Graph& graph, NodeId n) {
  for (; n >= 0 && graph.node(n).op; n = above(graph, n)) {
    const std::string_view kind = graph.node(n).op->kind().name;
    if (kind == "conv2d" || kind == "max_pool2d" || kind == "avg_pool2d" || kind == "batch_norm")
      return false;
    if (kind != "transpose") continue;
    const Shape &from = graph.node(graph.node(n).inputs[0].node).shape(), &to = graph.node(n).shape();
    return to.rank() == 4 && to[1] == from[2] && to[2] == from[3] && to[3] == from[1];
  }
  return false;
}

// (N, C, 1, 1) as (N, C).
void put_scores_in_a_row(Graph& graph) {
  const Shape& s = graph.node(graph.output()).shape();
  if (s.rank() <= 2 || s.numel() != s[0] * s[1]) return;
  graph.set_output(graph.add(graph.node(graph.output()).name + ".row", flatten(), {graph.output()}));
}

}  // namespace

std::string find_trunk(const Graph& graph) {
  const auto kind = [&](NodeId n) {
    return graph.node(n).op ? graph.node(n).op->kind().name : std::string_view();
  };
  const auto is_one_of = [&](NodeId n, std::initializer_list<std::string_view> kinds) {
    return std::find(kinds.begin(), kinds.end(), kind(n)) != kinds.end();
  };
  NodeId n = graph.output();
  while (n >= 0 && graph.node(n).op) {
    const Shape& s = graph.node(n).shape();
    const bool only_moves = is_one_of(n, {"max_pool2d", "avg_pool2d", "transpose", "dropout", "reshape"});
    if (s.rank() == 4 && s[2] * s[3] > 1 && !only_moves && !is_channels_last(graph, n))
      return graph.node(n).name;
    if (s.rank() == 3 && s[1] > 1) break;  // tokens
    n = above(graph, n);
  }
  if (n < 0 || graph.node(n).shape().rank() != 3) return "";
  // Behind the last attention a class token looks at no other: the norm before it is the last place of patches.
  const auto attends = [&](NodeId i) {
    return kind(i) == "attention" || (kind(i) == "softmax" && graph.node(i).shape().rank() >= 3);
  };
  while (n >= 0 && !attends(n)) --n;
  for (; n >= 0; --n)
    if (kind(n) == "layer_norm" && graph.node(n).shape().rank() == 3) return graph.node(n).name;
  return "";
}

Model onnx_model(const std::string& path, const ModelOptions& options) {
  ModelProto file = onnx::read_model(path);
  if (file.graph.outputs.empty()) throw Error("'" + path + "': it has no output");
  std::vector<std::string> notes = leave_off_softmax(file);
  if (file.graph.outputs.size() > 1) {
    notes.push_back("'" + path + "' has " + std::to_string(file.graph.outputs.size()) +
                    " outputs; the first, '" + file.graph.outputs[0].name + "', is explained");
    file.graph.outputs.resize(1);
  }
  onnx::Imported imported = import_for_one(file, import_options(file, options));
  if (imported.outputs[0].known()) throw Error("'" + path + "': its output does not depend on its input");
  put_scores_in_a_row(imported.graph);
  Model model{.graph = std::move(imported.graph), .trunk = ""};
  model.trunk = find_trunk(model.graph);
  model.parameters = std::move(imported.parameters);
  model.has_weights = true;
  model.any_batch = imported.any_batch;
  notes.insert(notes.end(), imported.notes.begin(), imported.notes.end());
  model.notes = std::move(notes);
  const int64_t classes = model.graph.node(model.graph.output()).shape().back();
  if (options.classes && options.classes != classes)
    throw UsageError("'" + path + "' has " + std::to_string(classes) + " classes, not " +
                     std::to_string(options.classes));
  const std::vector<NodeId> inputs = model.graph.inputs();
  if (!inputs.empty() && model.graph.node(inputs[0]).shape().rank() == 4) {
    const Shape& x = model.graph.node(inputs[0]).shape();
    model.preprocessing.crop = std::max(x[2], x[3]);
    model.preprocessing.resize = std::llround(static_cast<double>(model.preprocessing.crop) * 256 / 224);
  }
  return model;
}

}  // namespace loupe
