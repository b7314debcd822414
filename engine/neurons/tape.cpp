#include "engine/neurons/tape.h"

#include <algorithm>
#include <cstring>

namespace loupe {

Tape Tape::record(Network& network, const Tensor& x, std::span<const NodeId> layers) {
  const Graph& graph = network.graph();
  Purpose purpose;
  const NodeId last = *std::ranges::max_element(layers);
  for (NodeId n = 0; n <= last; ++n) {
    const Node& node = graph.node(n);
    if (node.op && node.op->record(graph.operand_shapes(n)) &&
        std::ranges::any_of(layers, [&](NodeId l) { return leads_to(graph, n, l); }))
      purpose.records.push_back(n);
  }
  if (purpose.records.empty()) return {};
  Execution& pass = network.execution(x.shape(), purpose);
  pass.forward(x);
  Tape tape;
  for (const NodeId n : purpose.records) {
    if (network.queue().module) {  // its memory is another one
      const Tensor record = pass.record(n);
      OwnArray& kept = tape.records_[n] = OwnArray(record.dtype(), record.shape(), Layout::planar);
      std::memcpy(kept.array.data, record.raw(), static_cast<size_t>(record.bytes()));
    } else {
      const Array record = pass.record_in_place(n);
      OwnArray& kept = tape.records_[n] = OwnArray(record.dtype, record.shape, record.layout);
      std::memcpy(kept.array.data, record.data, static_cast<size_t>(record.bytes()));
    }
  }
  return tape;
}

int64_t Tape::bytes() const {
  int64_t sum = 0;
  for (const auto& [node, record] : records_) sum += record.memory->bytes();
  return sum;
}

}  // namespace loupe
