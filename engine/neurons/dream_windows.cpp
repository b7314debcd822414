#include "engine/neurons/dream_windows.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace loupe {

namespace {

int64_t along(Pair p, int direction) { return direction == 0 ? p.h : p.w; }
double stride_of(const ReceptiveField& f, int direction) { return direction == 0 ? f.stride_h : f.stride_w; }

// Nodes between the input and the goal's, both of them too.
std::vector<NodeId> path(const Graph& graph, NodeId to) {
  std::vector<NodeId> nodes;
  for (NodeId n = 0; n <= to; ++n)
    if (!graph.node(n).is_weight() && leads_to(graph, graph.inputs().at(0), n) && leads_to(graph, n, to))
      nodes.push_back(n);
  return nodes;
}

// What windows begin at multiples of: the strides of all layers, and where kernels compute cells in tiles, those.
int64_t alignment(const Network& net, NodeId to, int direction) {
  const Graph& graph = net.graph();
  const std::vector<ReceptiveField> fields = receptive_fields(graph);
  int64_t all = 1;
  const auto tile = [&](NodeId n, Direction d) {
    const Call call =
        graph.node(n).op->prepare(net.device().backend, d, graph.operand_shapes(n), net.options().kernels);
    return std::max<int64_t>(1, along(call.tile, direction));
  };
  const auto step_of = [&](NodeId n) {
    return static_cast<int64_t>(stride_of(fields[static_cast<size_t>(n)], direction));
  };
  for (const NodeId n : path(graph, to)) {
    all = std::lcm(all, step_of(n));
    if (!graph.node(n).op || net.device().backend == Backend::ref) continue;
    all = std::lcm(all, step_of(n) * tile(n, Direction::forward));
    if (graph.node(n).op->kind().has(net.device().backend, Direction::vjp_input))
      all = std::lcm(all, step_of(graph.node(n).inputs.at(0).node) * tile(n, Direction::vjp_input));
  }
  return all;
}

}  // namespace

bool DreamWindows::are_exact(const Graph& graph, const DreamGoal& goal) {
  if (!goal.by_cells) return false;
  const std::vector<ReceptiveField> fields = receptive_fields(graph);
  const auto field = [&](NodeId n) { return fields[static_cast<size_t>(n)]; };
  const std::vector<NodeId> nodes = path(graph, goal.node);
  const auto fits = [&](NodeId n) {
    const ReceptiveField f = field(n);
    if (f.whole || graph.node(n).shape().rank() != 4 || f.stride_h != std::floor(f.stride_h) ||
        f.stride_w != std::floor(f.stride_w))
      return false;
    // Maps that are joined have one stride.
    const ReceptiveField* first = nullptr;
    for (const Port& p : graph.node(n).inputs) {
      if (!std::ranges::binary_search(nodes, p.node)) continue;
      const ReceptiveField& other = fields[static_cast<size_t>(p.node)];
      if (first && (first->stride_h != other.stride_h || first->stride_w != other.stride_w)) return false;
      first = &other;
    }
    return true;
  };
  return std::ranges::all_of(nodes, fits);
}

DreamWindows::DreamWindows(Network& net, DreamGoal goal, int64_t height, int64_t width, int64_t room,
                           const WindowLimits& limits)
    : net_(net), goal_(std::move(goal)) {
  const std::vector<NodeId> inputs = net_.graph().inputs();
  if (inputs.size() != 1 || net_.graph().node(inputs[0]).shape().rank() != 4)
    throw UsageError(net_.name() + " takes no pictures");
  if (!leads_to(net_.graph(), inputs[0], goal_.node))
    throw UsageError("'" + net_.graph().node(goal_.node).name + "' does not depend on the picture");
  purpose_ = {.values = {goal_.node}, .from = goal_.node, .gradients = {inputs[0]}};
  field_ = receptive_fields(net_.graph())[static_cast<size_t>(goal_.node)];
  exact_ = are_exact(net_.graph(), goal_);
  // Nothing is smaller than what the network was made for, so that all of its layers fit.
  const Shape& own = net_.graph().node(inputs[0]).shape();
  rows_.view = std::max(height + room, own[2]);
  columns_.view = std::max(width + room, own[3]);
  exact_ ? lay_exact(limits) : lay_apart(room, limits);
}

Shape DreamWindows::shape(int64_t height, int64_t width) const {
  return net_.graph().input_shapes().at(0).with(2, height).with(3, width);
}

// Of a pass, with what goes in and comes out of it.
int64_t DreamWindows::bytes(int64_t height, int64_t width) {
  const Plan& plan = net_.execution(shape(height, width), purpose_).plan();
  return plan.arena_bytes() + (2 * plan.shape(goal_.node).numel() + 3 * shape(height, width).numel()) *
                                  dtype_bytes(net_.device().compute_dtype());
}

void DreamWindows::lay_exact(const WindowLimits& limits) {
  struct Plane {
    Axis& axis;
    int64_t step, pad;  // of windows' beginnings; what a cell sees beyond the pixel that it sees
  };
  Plane planes[2] = {{rows_, alignment(net_, goal_.node, 0), field_.size.h - 1},
                     {columns_, alignment(net_, goal_.node, 1), field_.size.w - 1}};
  // Windows end where the view ends, to the pixel, and so have one size: whole steps less than the view.
  for (int64_t side = std::max<int64_t>(limits.side, 1);; side -= std::max<int64_t>(side / 8, 1)) {
    bool smallest = true;
    for (const Plane& p : planes) {
      const int64_t least = std::min(p.axis.view, 2 * p.pad + p.step);
      const int64_t wanted = std::max(side, least);
      const int64_t steps = std::max<int64_t>(0, (p.axis.view - wanted) / p.step);  // never below `wanted`
      p.axis.window = p.axis.view - steps * p.step;
      smallest &= side <= least;
    }
    const int64_t need = bytes(rows_.window, columns_.window);
    const Plan& plan = net_.execution(shape(rows_.window, columns_.window), purpose_).plan();
    if ((limits.bytes <= 0 || need <= limits.bytes) && net_.fits(plan)) break;
    if (smallest || side == 1) refuse(need);
  }
  for (const Plane& p : planes) {
    const int64_t last = p.axis.view - p.axis.window;
    const int64_t stride =
        std::max<int64_t>((p.axis.window - 2 * p.pad) / p.step, 1) * p.step;  // at least the step
    for (int64_t begin = 0;; begin = std::min(begin + stride, last)) {
      p.axis.sides.push_back(
          {begin, begin + p.axis.window, std::vector<float>(static_cast<size_t>(p.axis.window))});
      if (begin == last) break;
    }
    for (size_t i = 0; i < p.axis.sides.size(); ++i) {
      Side& s = p.axis.sides[i];
      const int64_t from = i == 0 ? 0 : p.pad;
      const int64_t to =
          i + 1 == p.axis.sides.size() ? p.axis.window : p.axis.sides[i + 1].begin + p.pad - s.begin;
      std::fill(s.weights.begin() + from, s.weights.begin() + to, 1.0F);
    }
  }
}

// What no smaller window helps.
void DreamWindows::refuse(int64_t need) const {
  throw UsageError("'" + net_.graph().node(goal_.node).name + "' needs a window of " +
                   Pair(rows_.window, columns_.window).str() + " pixels at least, and that " +
                   std::to_string(ceil_div(need, 1 << 20)) +
                   " MiB beside the picture: more than memory has left");
}

void DreamWindows::lay_apart(int64_t room, const WindowLimits& limits) {
  const Shape own = net_.graph().input_shapes().at(0);
  for (const int direction : {0, 1}) {
    Axis& axis = direction == 0 ? rows_ : columns_;
    axis.window = own[2 + direction];
    const int64_t overlap = axis.window / 4, apart = axis.window - overlap;
    const int64_t least = axis.view + std::max<int64_t>(0, apart - room);
    const int64_t more = ceil_div(least - axis.window, apart);
    axis.view = axis.window + more * apart;
    for (int64_t i = 0; i <= more; ++i) {
      Side s{i * apart, i * apart + axis.window, std::vector<float>(static_cast<size_t>(axis.window), 1.0F)};
      for (int64_t k = 0; k < overlap; ++k) {
        const float t = (static_cast<float>(k) + 0.5F) / static_cast<float>(overlap);
        const float part = t * t * (3 - 2 * t);  // level at both ends
        if (i > 0) s.weights[static_cast<size_t>(k)] = part;
        if (i < more) s.weights[static_cast<size_t>(axis.window - 1 - k)] = part;
      }
      axis.sides.push_back(std::move(s));
    }
  }
  const int64_t need = bytes(rows_.window, columns_.window);
  if (limits.bytes > 0 && need > limits.bytes) refuse(need);
}

// Cells along one axis that the window shows whole, up to what lies beyond the view.
std::vector<char> DreamWindows::full(const Axis& axis, const Side& side, int direction, int64_t cells) const {
  const auto stride = static_cast<int64_t>(stride_of(field_, direction));
  const auto offset = static_cast<int64_t>(direction == 0 ? field_.offset_h : field_.offset_w);
  std::vector<char> whole(static_cast<size_t>(cells));
  for (int64_t i = 0; i < cells; ++i) {
    const int64_t begin = i * stride + offset, end = begin + along(field_.size, direction);  // in the window
    whole[static_cast<size_t>(i)] =
        (begin >= 0 || side.begin == 0) && (end <= axis.window || side.end == axis.view);
  }
  return whole;
}

Tensor DreamWindows::gradient(int64_t i, const Tensor& x) {
  Execution& pass = net_.execution(x.shape(), purpose_);
  pass.forward(x);
  const Tensor slope = goal_.slope(pass.value(goal_.node));
  if (exact_) {
    const Shape& s = slope.shape();
    const Window w = window(i);
    const std::vector<char> rows = full(rows_, w.rows, 0, s[2]), columns = full(columns_, w.columns, 1, s[3]);
    const int64_t element = dtype_bytes(slope.dtype());
    std::byte* to = slope.raw();
    for (int64_t c = 0; c < s[1]; ++c)
      for (int64_t y = 0; y < s[2]; ++y)
        for (int64_t k = 0; k < s[3]; ++k, to += element)
          if (!rows[static_cast<size_t>(y)] || !columns[static_cast<size_t>(k)])
            std::fill_n(to, element, std::byte{0});
  }
  pass.backward(slope);
  return pass.gradient(net_.graph().inputs().at(0));
}

}  // namespace loupe
