#include "engine/neurons/cones.h"

#include <algorithm>

namespace loupe {

namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

struct AxisWindow {
  int64_t kernel, stride, padding, dilation;
};
AxisWindow along(const Window& w, int axis) {
  const auto pick = [axis](Pair p) { return axis == 0 ? p.h : p.w; };
  return {pick(w.kernel), pick(w.stride), pick(w.padding), pick(w.dilation)};
}

}  // namespace

Cones::Cones(const Graph& graph, const Shape& input, NodeId layer)
    : graph_(graph), shapes_(graph.shapes(input)) {
  const std::vector<NodeId> inputs = graph.inputs();
  if (inputs.size() != 1) throw UsageError("ways back of single units are of networks with one input");
  for (NodeId n = inputs[0]; n <= layer; ++n) {
    const Node& node = graph.node(n);
    if (node.is_weight() || !leads_to(graph, inputs[0], n) || !leads_to(graph, n, layer)) continue;
    if (shape(n).rank() != 4 || node.types.size() != 1 || (node.op && !node.op->window()))
      throw UsageError("'" + node.name + "' sees more than a window of its maps");
    path_.push_back(n);
  }
  for (int axis = 0; axis < 2; ++axis)
    for (int64_t place = 0; place < shape(layer)[2 + axis]; ++place)
      spans_[axis].push_back(cone(axis, place, layer));
}

std::vector<CellSpan> Cones::cone(int axis, int64_t place, NodeId layer) const {
  std::vector<CellSpan> spans(at(graph_.size()));
  spans[at(layer)] = {place, place + 1};
  for (auto n = path_.rbegin(); n != path_.rend(); ++n) {
    const CellSpan above = spans[at(*n)];
    if (!graph_.node(*n).op || above.begin >= above.end) continue;
    const AxisWindow w = along(*graph_.node(*n).op->window(), axis);
    for (const Port& p : graph_.node(*n).inputs) {
      if (!std::ranges::binary_search(path_, p.node)) continue;
      const int64_t map = shape(p.node)[2 + axis];
      const CellSpan seen{
          std::clamp<int64_t>(above.begin * w.stride - w.padding, 0, map),
          std::clamp<int64_t>((above.end - 1) * w.stride - w.padding + (w.kernel - 1) * w.dilation + 1, 0,
                              map)};
      CellSpan& all = spans[at(p.node)];
      if (seen.begin >= seen.end) continue;  // padding alone
      all = all.begin >= all.end ? seen
                                 : CellSpan{std::min(all.begin, seen.begin), std::max(all.end, seen.end)};
    }
  }
  return spans;
}

int64_t Cones::widest(int axis, NodeId n) const {
  int64_t most = 0;
  for (const std::vector<CellSpan>& of_place : spans_[axis])
    most = std::max(most, of_place[at(n)].end - of_place[at(n)].begin);
  return most;
}

std::vector<NodeId> Cones::articulations() const {
  std::vector<NodeId> all;
  NodeId lowest = path_.back();  // that a node further up reads
  for (auto n = path_.rbegin(); n != path_.rend(); ++n) {
    if (lowest >= *n) all.push_back(*n);
    for (const Port& p : graph_.node(*n).inputs)
      if (std::ranges::binary_search(path_, p.node)) lowest = std::min(lowest, p.node);
  }
  return all;
}

// Whether windows that are `size` long at the bottom do; fills in the rest.
bool Cones::fits(int axis, NodeId top, NodeId bottom, int64_t size, WindowAxis& window) const {
  std::vector<Shape> shapes = shapes_;
  shapes[at(bottom)] = shapes[at(bottom)].with(2 + axis, size);
  window.sizes = {{bottom, size}};
  window.strides = {{bottom, 1}};
  for (const NodeId n : path_) {
    if (n <= bottom || n > top) continue;
    const Node& node = graph_.node(n);
    std::vector<Type> types;
    int64_t stride = 0;
    for (const Port& p : node.inputs) {
      types.push_back({node.types[0].dtype, shapes[at(p.node)]});
      const auto found = window.strides.find(p.node);
      if (found == window.strides.end()) continue;
      if (stride && stride != found->second) return false;
      stride = found->second;
    }
    try {
      shapes[at(n)] = node.op->infer(types)[0].shape;
    } catch (const UsageError&) {
      return false;  // it is too small
    }
    window.strides[n] = stride * along(*node.op->window(), axis).stride;
    window.sizes[n] = shapes[at(n)][2 + axis];
  }
  window.origins.clear();
  for (const std::vector<CellSpan>& spans : spans_[axis]) {
    int64_t origin = shape(bottom)[2 + axis];
    for (const auto& [n, cells] : window.sizes) {
      origin = std::min(origin, (shape(n)[2 + axis] - cells) * window.strides[n]);
      if (spans[at(n)].begin < spans[at(n)].end)
        origin = std::min(origin, spans[at(n)].begin * window.strides[n]);
    }
    origin = origin < 0 ? -1 : origin / window.strides[top] * window.strides[top];
    if (origin < 0) return false;
    for (const auto& [n, cells] : window.sizes)
      if (spans[at(n)].end > origin / window.strides[n] + cells) return false;
    window.origins.push_back(origin);
  }
  return true;
}

WindowAxis Cones::window(int axis, NodeId top, NodeId bottom) const {
  WindowAxis window;
  const int64_t whole = shape(bottom)[2 + axis];
  for (int64_t size = std::max<int64_t>(widest(axis, bottom), 1); size <= whole; ++size)
    if (fits(axis, top, bottom, size, window)) return window;
  throw UsageError("'" + graph_.node(top).name + "' lies over maps of different strides");
}

}  // namespace loupe
