// Patterns: what exporters for older opsets write as a handful of nodes and is one operation.
#pragma once
#include "models/io/onnx/proto.h"

namespace loupe::onnx {

/// The nodes of a graph, where the last node of a pattern has become the operation that it stands for: Gelu (of
/// an Erf), LayerNormalization (of means, a square and a root). The nodes before it are left for those who read
/// them too.
std::vector<NodeProto> with_patterns(const GraphProto& graph, const std::string& file);

}  // namespace loupe::onnx
